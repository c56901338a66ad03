// An image dataset in memory: images with a channel axis, and the index of each image's class.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// Images and the class of each.
public struct LabelledImages: Sendable {
  /// Grey images as `uint8[count, height, width, 1]`, 0 to 255.
  public let images: NDArray
  /// Classes as `uint8[count]`.
  public let labels: NDArray

  /// The number of images.
  public var count: Int { labels.elementCount }

  /// Takes images `uint8[count, height, width]`, as IDX files hold them, and adds a channel axis.
  /// - Throws: `FormatError` for other shapes or types, different counts, or a label that is not a class.
  init(images: NDArray, labels: NDArray, classes: Int, names: (images: String, labels: String)) throws {
    guard images.dtype == .uint8, images.shape.count == 3 else {
      throw FormatError(
        file: names.images, reason: "should hold images as uint8 [count, height, width]; it holds \(images.type)",
        remedy: "Check that images and labels were not mixed up")
    }
    guard labels.dtype == .uint8, labels.shape.count == 1 else {
      throw FormatError(
        file: names.labels, reason: "should hold labels as uint8 [count]; it holds \(labels.type)",
        remedy: "Check that images and labels were not mixed up")
    }
    guard images.shape[0] == labels.shape[0] else {
      throw FormatError(
        file: names.labels,
        reason: "has \(labels.shape[0]) labels for the \(images.shape[0]) images of \(names.images)",
        remedy: "Take both files from the same place")
    }
    let wrong = labels.withUnsafeBytes { bytes in bytes.firstIndex { $0 >= classes } }
    if let wrong {
      throw FormatError(
        file: names.labels,
        reason: "label \(wrong) is \(labels.withUnsafeBytes { $0[wrong] }); classes are 0 to \(classes - 1)")
    }
    self.images = try images.reshaped(images.shape + [1])
    self.labels = labels
  }

  private init(uncheckedImages images: NDArray, labels: NDArray) {
    self.images = images
    self.labels = labels
  }

  /// The first `limit` images, or all of them if there are fewer.
  public func prefix(_ limit: Int) throws -> LabelledImages {
    guard limit >= 0, limit < count else { return self }
    return LabelledImages(uncheckedImages: try images.rows(0..<limit), labels: try labels.rows(0..<limit))
  }
}

/// A dataset of images in two splits that share no image.
public struct ImageDataset: Sendable {
  /// The images to train on.
  public let train: LabelledImages
  /// The images to test on.
  public let test: LabelledImages
  /// The name of each class.
  public let classNames: [String]

  /// The first `limit` images of each split.
  public func prefix(_ limit: Int) throws -> ImageDataset {
    ImageDataset(train: try train.prefix(limit), test: try test.prefix(limit), classNames: classNames)
  }
}
