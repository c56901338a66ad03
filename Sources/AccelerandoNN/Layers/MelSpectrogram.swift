// Sound becomes a picture of pitch over time, in steps that ears hear as equal: what networks for speech and music read.

import AccelerandoCore
import Foundation

/// Samples of sound `[N, samples]` as a spectrogram on the mel scale, `[N, mel bins, frames]`.
///
/// A frame is a stretch of samples under a window; its spectrum is a product with a matrix of sines and cosines, and a second
/// matrix gathers frequencies into mel bins. The ends of the sound are mirrored, so that the first frame is centred on the first
/// sample. Decibels are relative to each sound's loudest place; in Keras, to the loudest of the batch.
public struct MelSpectrogram: ConfigurableLayer {
  /// The window over a frame, periodic.
  public enum Window: String, CaseIterable, Hashable, Sendable {
    /// (1 − cos) / 2.
    case hann
    /// 0.54 − 0.46 cos.
    case hamming
  }

  /// The settings, with Keras' names and defaults.
  public struct Settings: Hashable, Sendable {
    /// The samples of a Fourier transform.
    public var fftLength = 2048
    /// The samples from one frame to the next.
    public var sequenceStride = 512
    /// The samples of a frame; nil for `fftLength`.
    public var sequenceLength: Int?
    /// The window over a frame; nil for none.
    public var window: Window? = .hann
    /// The samples a second.
    public var samplingRate = 16000
    /// The number of mel bins.
    public var numMelBins = 128
    /// The lowest frequency, in hertz.
    public var minFreq = 20.0
    /// The highest frequency, in hertz; nil for half the sampling rate.
    public var maxFreq: Double?
    /// Whether powers become decibels.
    public var powerToDB = true
    /// The decibels below the loudest place at which quiet ones are cut off.
    public var topDB = 80.0
    /// The exponent of magnitudes: 2 for powers.
    public var magExp = 2.0
    /// The smallest power that is told from zero.
    public var minPower = 1e-10
    /// The power of 0 decibels.
    public var refPower = 1.0

    /// Makes the default settings.
    public init() {}
  }

  /// How the spectrogram is made.
  public let settings: Settings
  public let name: String?

  /// Makes the layer.
  public init(_ settings: Settings = Settings(), name: String? = nil) {
    self.settings = settings
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    let half = settings.fftLength / 2
    guard x.rank == 2 else { return x.rejected("needs samples of sound [N, samples]; received \(x.shape).") }
    guard x.shape[1] > half else {
      return x.rejected(
        "needs more than half of 'fft_length' (\(settings.fftLength)) samples, to mirror the ends; received \(x.shape[1])."
      )
    }
    let wide = x.converted(to: .float32)
    let length = x.shape[1]
    let before = wide.sliced(axis: 1, 1..<half + 1).reversed(axes: [1])
    let after = wide.sliced(axis: 1, length - 1 - half..<length - 1).reversed(axes: [1])
    let sound = x.graph.add(AccelerandoCore.Concatenate(axis: 1), half > 0 ? [before, wide, after] : [wide])[0]
    let bins = half + 1
    let spectra = frames(of: sound)
    let (real, imaginary) = (spectra.sliced(axis: 2, 0..<bins), spectra.sliced(axis: 2, bins..<2 * bins))
    let power = real.squared() + imaginary.squared()
    let magnitudes = settings.magExp == 2 ? power : power.sqrt().power(settings.magExp)
    var result = magnitudes.matmul(x.graph.add(Constant(melMatrix(bins))))
    if settings.powerToDB { result = decibels(result) }
    return result.transposed([0, 2, 1]).converted(to: x.dtype)
  }

  /// The spectra of all frames, `[N, frames, 2 · bins]`: cosines, then sines.
  ///
  /// Frames overlap. So that no sample is copied, the sound is cut into strides, and each part of the matrix meets the strides
  /// that it is for.
  private func frames(of sound: Tensor) -> Tensor {
    let (stride, length) = (settings.sequenceStride, settings.fftLength)
    let (samples, count) = (sound.shape[0], (sound.shape[1] - length) / stride + 1)
    let parts = (length + stride - 1) / stride
    let needed = (count - 1 + parts) * stride
    let fitted =
      needed > sound.shape[1]
      ? sound.padded(low: [0, 0], high: [0, needed - sound.shape[1]]) : sound.sliced(axis: 1, 0..<needed)
    let strides = fitted.reshaped([samples, count - 1 + parts, stride])
    let matrix = sound.graph.add(Constant(fourierMatrix(rows: parts * stride)))
    return (0..<parts).map { part in
      strides.sliced(axis: 1, part..<part + count)
        .matmul(matrix.sliced(axis: 0, part * stride..<(part + 1) * stride))
    }.reduce(nil as Tensor?) { sum, term in sum.map { $0 + term } ?? term } ?? sound
  }

  /// The window times cosines and sines, `[rows, 2 · bins]`; zeros below the frame.
  private func fourierMatrix(rows: Int) -> NDArray {
    let (length, bins) = (settings.fftLength, settings.fftLength / 2 + 1)
    let frame = settings.sequenceLength ?? length
    let left = (length - frame) / 2
    var elements = [Float](repeating: 0, count: rows * 2 * bins)
    for row in left..<left + frame {
      let turn = 2 * Double.pi * Double(row - left) / Double(frame)
      let weight =
        switch settings.window {
        case .hann: 0.5 - 0.5 * cos(turn)
        case .hamming: 0.54 - 0.46 * cos(turn)
        case nil: 1.0
        }
      for bin in 0..<bins {
        // The remainder keeps the angle small, and so exact.
        let angle = 2 * Double.pi * Double(row * bin % length) / Double(length)
        elements[row * 2 * bins + bin] = Float(weight * cos(angle))
        elements[row * 2 * bins + bins + bin] = Float(-weight * sin(angle))
      }
    }
    var array = NDArray(zeros: TensorType(.float32, [rows, 2 * bins]))
    array.withUnsafeMutableBytes { bytes in elements.withUnsafeBytes { bytes.copyMemory(from: $0) } }
    return array
  }

  /// Triangles over the mel scale, as in HTK: `[bins, mel bins]`, without the bin of frequency 0.
  private func melMatrix(_ bins: Int) -> NDArray {
    func mel(_ hertz: Double) -> Double { 1127 * log(1 + hertz / 700) }
    let count = settings.numMelBins
    let (low, high) = (mel(settings.minFreq), mel(settings.maxFreq ?? Double(settings.samplingRate / 2)))
    let edges = (0..<count + 2).map { low + (high - low) * Double($0) / Double(count + 1) }
    var array = NDArray(zeros: TensorType(.float32, [bins, count]))
    array.withUnsafeMutableBytes { bytes in
      let elements = bytes.bindMemory(to: Float.self)
      for bin in 1..<max(bins, 1) {
        let pitch = mel(Double(settings.samplingRate) / 2 * Double(bin) / Double(bins - 1))
        for band in 0..<count {
          let rising = (pitch - edges[band]) / (edges[band + 1] - edges[band])
          let falling = (edges[band + 2] - pitch) / (edges[band + 2] - edges[band + 1])
          elements[bin * count + band] = Float(max(0, min(rising, falling)))
        }
      }
    }
    return array
  }

  private func decibels(_ power: Tensor) -> Tensor {
    let factor = 10 / log(10.0)
    let reference = factor * log(max(settings.refPower.magnitude, settings.minPower))
    let values = power.maximum(settings.minPower).log() * factor - reference
    let loudest = values.max(axes: [1, 2], keepDims: true) - settings.topDB
    return values.maximum(loudest.broadcast(to: values.shape))
  }

  public static var summary: String {
    "Sound [N, samples] as a spectrogram on the mel scale: [N, num_mel_bins, frames]."
  }

  public init(config: ConfigReader) throws {
    var settings = Settings()
    settings.fftLength = try config.int("fft_length", default: 2048, in: 2...(1 << 13))
    settings.sequenceStride = try config.int("sequence_stride", default: 512, in: 1...(1 << 16))
    settings.sequenceLength = try config.optionalInt("sequence_length", in: 1...settings.fftLength)
    let window = try config.choice("window", default: Window.hann, about: "Or null for none")
    settings.window = config.config["window"].map { $0.value == .null } ?? false ? nil : window
    settings.samplingRate = try config.int("sampling_rate", default: 16000, in: .counts)
    settings.numMelBins = try config.int("num_mel_bins", default: 128, in: 1...(1 << 12))
    settings.minFreq = try config.double("min_freq", default: 20, in: .notNegative)
    settings.maxFreq = try config.optionalDouble("max_freq", in: .positive)
    settings.powerToDB = try config.bool("power_to_db", default: true)
    settings.topDB = try config.double("top_db", default: 80, in: .notNegative)
    settings.magExp = try config.double("mag_exp", default: 2, in: .positive)
    settings.minPower = try config.double("min_power", default: 1e-10, in: .positive)
    settings.refPower = try config.double("ref_power", default: 1)
    guard settings.maxFreq ?? Double(settings.samplingRate / 2) > settings.minFreq else {
      throw config.refused("max_freq", "a number above 'min_freq'")
    }
    self.init(settings, name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "fft_length": Config(.int(settings.fftLength)),
      "sequence_stride": Config(.int(settings.sequenceStride)),
      "sequence_length": settings.sequenceLength.map { Config(.int($0)) },
      "window": settings.window.map { Config(.string($0.rawValue)) } ?? Config(.null),
      "sampling_rate": Config(.int(settings.samplingRate)), "num_mel_bins": Config(.int(settings.numMelBins)),
      "min_freq": Config(.double(settings.minFreq)), "max_freq": settings.maxFreq.map { Config(.double($0)) },
      "power_to_db": Config(.bool(settings.powerToDB)), "top_db": Config(.double(settings.topDB)),
      "mag_exp": Config(.double(settings.magExp)), "min_power": Config(.double(settings.minPower)),
      "ref_power": Config(.double(settings.refPower)),
    ])
  }
}
