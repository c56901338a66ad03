// Folders of images, as they are looked at before training.

import AccelerandoFormats
import Foundation

/// Image files in a folder for each class, or in one folder.
enum ImageInspection: InspectableData {
  static func isAt(_ url: URL) -> Bool {
    var status = stat()
    guard stat(url.path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      let files = FileManager.default.enumerator(atPath: url.path)
    else { return false }
    // Other files may lie beside them, but not thousands before the first.
    for (number, file) in files.enumerated() {
      if let path = file as? String, ImageListing.isImage(path) { return true }
      if number > 10_000 { return false }
    }
    return false
  }

  static func summary(of url: URL, _ settings: InspectionSettings) throws -> DataSummary {
    let listing = try ImageListing(url, classNames: nil, refusesEmptyClasses: false)
    guard !listing.paths.isEmpty else {
      throw FormatError(file: url.path, reason: "there are no images in its folders")
    }
    let report = try ImageReport(paths: listing.paths, labels: listing.labels, classNames: listing.classNames)
    var summary = DataSummary(
      source: url.path, kind: listing.classNames.isEmpty ? "images" : "images in folders", count: report.count,
      things: "images")
    func list(_ parts: [(String, Int)]) -> String {
      parts.prefix(5).map { "\($0.0) (\($0.1))" }.joined(separator: ", ")
        + (parts.count > 5 ? " and \(parts.count - 5) more" : "")
    }
    summary.facts = [
      ("sizes", list(report.sizes.map { ("\($0.size)", $0.count) })),
      ("formats", list(report.formats.map { ($0.name, $0.count) })),
      ("channels", list(report.channels.map { ("\($0.channels)", $0.count) })),
    ]
    if !listing.classNames.isEmpty {
      summary.balances = [
        ClassBalance(
          name: "folders",
          counts: Dictionary(report.classCounts.map { ($0.name, $0.count) }, uniquingKeysWith: { first, _ in first }))
      ]
    }
    for (name, count) in report.classCounts where count == 0 {
      summary.suspicions.append("the folder '\(name)' has no images")
    }
    add(report, to: &summary)
    if let other = settings.validation {
      let others = try ImageReport(paths: ImageListing(other, classNames: nil, refusesEmptyClasses: false).paths)
      let shared = report.files.filter { others.files[$0.key] != nil }
      if let first = shared.values.map({ $0[0] }).min() {
        summary.suspicions.append(
          "\(shared.count) images are in \(other.path) too, so that a model is tested on what it has seen; one is \(first)"
        )
      }
    }
    return summary
  }

  private static func add(_ report: ImageReport, to summary: inout DataSummary) {
    if !report.unreadable.isEmpty {
      summary.suspicions += report.unreadable.prefix(5).map { "cannot be read: \($0.reason)" }
      if report.unreadable.count > 5 {
        summary.suspicions.append("… and \(report.unreadable.count - 5) more files that cannot be read")
      }
    }
    if let first = report.duplicates.first {
      let files = report.duplicates.reduce(0) { $0 + $1.count }
      summary.suspicions.append(
        "\(files) files have the same bytes as another: \(first.prefix(3).joined(separator: ", "))")
    }
    if report.sizes.count > 1 {
      summary.suspicions.append("the images have \(report.sizes.count) sizes: training needs an image_size")
    }
  }
}
