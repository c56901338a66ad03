// The settings and parameters that SimpleRNN, LSTM and GRU have in common.

import AccelerandoCore

/// The settings of a recurrent cell, with Keras' defaults.
struct RecurrentCellSettings: Sendable {
  var units: Int
  var activation: Activation
  /// Of the gates; nil for a cell without gates.
  var recurrentActivation: Activation?
  var usesBias: Bool
  var kernelInitializer: Initializer
  var recurrentInitializer: Initializer
  var biasInitializer: Initializer
  var dropout: Double
  var recurrentDropout: Double
}

extension RecurrentCellSettings {
  /// - Parameter hasGates: whether there are gates, with an activation of their own.
  init(config: ConfigReader, hasGates: Bool) throws {
    self.init(
      units: try config.int("units", in: .counts), activation: try config.activation("activation", default: .tanh),
      recurrentActivation: hasGates ? try config.activation("recurrent_activation", default: .sigmoid) : nil,
      usesBias: try config.bool("use_bias", default: true),
      kernelInitializer: try config.initializer("kernel_initializer", default: .glorotUniform),
      recurrentInitializer: try config.initializer("recurrent_initializer", default: .orthogonal()),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      dropout: try config.double("dropout", default: 0, in: .fraction),
      recurrentDropout: try config.double("recurrent_dropout", default: 0, in: .fraction))
  }

  /// The settings as a file says them, with those that only one kind of cell has.
  func config(name: String?, adding others: [Config.Entry] = []) throws -> Config {
    let all = Config([
      "name": name.map { Config(.string($0)) }, "units": Config(.int(units)),
      "activation": try Catalog.activations.config(of: activation),
      "recurrent_activation": try recurrentActivation.map { try Catalog.activations.config(of: $0) },
      "use_bias": Config(.bool(usesBias)),
      "kernel_initializer": try Catalog.initializers.config(of: kernelInitializer),
      "recurrent_initializer": try Catalog.initializers.config(of: recurrentInitializer),
      "bias_initializer": try Catalog.initializers.config(of: biasInitializer),
      "dropout": Config(.double(dropout)), "recurrent_dropout": Config(.double(recurrentDropout)),
    ])
    return all.adding(others)
  }
}

extension Config {
  /// An object with further entries.
  func adding(_ others: [Entry]) -> Config {
    guard case .object(let entries) = value else { return self }
    return Config(.object(entries + others), at: location)
  }
}

/// A cell with a kernel for its inputs and one for its state.
protocol KernelCell: RecurrentCell, ConfigurableLayer, TrainableLayer {
  var settings: RecurrentCellSettings { get }
  /// `[features, gates · units]`.
  var kernel: Parameter { get }
  /// `[units, gates · units]`.
  var recurrentKernel: Parameter { get }
}

extension KernelCell {
  public func step(_ x: Tensor, _ states: [Tensor]) -> (output: Tensor, states: [Tensor]) { firstRound(x, states) }

  /// The product of all inputs with the kernel, `[T, N, features]` to `[T, N, gates · units]`, with `bias` if there is
  /// one.
  func projected(_ sequence: Tensor, gates: Int, bias: Tensor?) -> Tensor {
    let size = gates * settings.units
    let (time, batch, features) = (sequence.dim(0), sequence.dim(1), sequence.dim(-1))
    guard sequence.rank == 3 else {
      return sequence.rejected("needs elements [N, features]; received \(Array(sequence.shape.dropFirst())).")
        .scalar(0).broadcast(to: [time, batch, size])
    }
    let rows = sequence.droppingInRounds(settings.dropout).reshaped([time * batch, features])
    let product = rows.matmul(kernel[features, size])
    return (bias.map { product + $0 } ?? product).reshaped([time, batch, size])
  }

  /// The factors of the states while training, the same in all rounds; nil if nothing is dropped.
  func recurrentDropout(_ sequence: Tensor) -> Tensor? {
    sequence.dropoutFactors(settings.recurrentDropout, shape: [sequence.dim(1), settings.units])
  }
}
