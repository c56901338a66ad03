// What is done with data before they are trained on: looking at them, and downloading datasets for machines without a
// network later.

import Accelerando
import ArgumentParser
import Foundation

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Shows what is in data, and downloads datasets.",
    subcommands: [InspectData.self, Fetch.self])

  struct Fetch: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Downloads a dataset to the cache, unless it is there.",
      discussion: "Available: fashion-mnist.")

    @Argument(help: "The dataset's name.")
    var name: String

    func run() throws {
      guard name == FashionMNIST.name else {
        let nearest = suggestion(for: name, among: [FashionMNIST.name])
        throw ValidationError("there is no dataset '\(name)'.\(nearest) Known: \(FashionMNIST.name).")
      }
      let places = DatasetPlaces.current()
      let dataset = try FashionMNIST.load(from: places)
      print("\(name): \(dataset.train.count) training and \(dataset.test.count) test images.")
    }
  }
}
