// Images come in all sizes, and a model takes one. How an image gets that size is said here, with the options of Keras'
// image_dataset_from_directory.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// The size, the channels and the resizing of images that are read.
public struct ImageForm: Hashable, Sendable {
  /// A number of rows and columns.
  public struct Size: Hashable, Sendable, CustomStringConvertible {
    /// The number of rows.
    public var height: Int
    /// The number of columns.
    public var width: Int

    /// Makes a size.
    public init(height: Int, width: Int) {
      self.height = height
      self.width = width
    }

    /// The size of images on a contact sheet.
    public static let thumbnail = Size(height: 64, width: 64)

    public var description: String { "\(width) × \(height)" }
  }

  /// What happens to images of other proportions.
  public enum AspectRatio: String, CaseIterable, Hashable, Sendable {
    /// They are stretched.
    case stretch
    /// Their middle is cut out.
    case crop
    /// They get black margins.
    case pad
  }

  /// The size of all images; nil keeps them, and then all files must have the same.
  public var size: Size?
  /// The channels.
  public var channels: ImageChannels
  /// How pixels of other sizes are computed.
  public var interpolation: Interpolation
  /// What happens to images of other proportions.
  public var aspectRatio: AspectRatio

  /// Describes images.
  public init(
    size: Size? = nil, channels: ImageChannels = .rgb, interpolation: Interpolation = .bilinear,
    aspectRatio: AspectRatio = .stretch
  ) {
    self.size = size
    self.channels = channels
    self.interpolation = interpolation
    self.aspectRatio = aspectRatio
  }
}
