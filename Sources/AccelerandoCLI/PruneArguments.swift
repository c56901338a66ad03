// The arguments of 'prune', parsed from text.

import Accelerando
import ArgumentParser
import Foundation

/// How the sparsity grows.
enum ScheduleName: String, CaseIterable, ExpressibleByArgument {
  case polynomial, constant
}

/// How the learning rate decays.
enum Decay: String, CaseIterable, ExpressibleByArgument {
  case none, linear, cosine
}

/// What is pruned.
enum PruningMethod: String, CaseIterable, ExpressibleByArgument {
  case magnitude, block
  case nOfM = "n:m"
  case filters
}

/// `0.9`, or `0.5..0.9`.
struct SparsityRange: ExpressibleByArgument {
  var initial: Double?
  var final: Double

  init(initial: Double?, final: Double) {
    self.initial = initial
    self.final = final
  }

  init?(argument: String) {
    if let number = Double(argument) {
      self.init(initial: nil, final: number)
      return
    }
    guard let dots = argument.range(of: ".."), let initial = Double(argument[..<dots.lowerBound]),
      let final = Double(argument[dots.upperBound...])
    else { return nil }
    self.init(initial: initial, final: final)
  }

  var defaultValueDescription: String { initial.map { "\($0)..\(final)" } ?? "\(final)" }
}

extension Pruning.Pooling: ExpressibleByArgument {}
extension Pruning.Competition: ExpressibleByArgument {}

/// Two whole numbers with a character between them.
private func pair(_ text: String, separator: Character) -> (Int, Int)? {
  let parts = text.split(separator: separator, omittingEmptySubsequences: false).map { Int($0) }
  guard parts.count == 2, let first = parts[0], let second = parts[1] else { return nil }
  return (first, second)
}

/// `2:4`.
struct ZerosOf: ExpressibleByArgument {
  var zeros: Int
  var group: Int

  init(zeros: Int, group: Int) {
    self.zeros = zeros
    self.group = group
  }

  init?(argument: String) {
    guard let (zeros, group) = pair(argument, separator: ":") else { return nil }
    self.init(zeros: zeros, group: group)
  }

  var defaultValueDescription: String { "\(zeros):\(group)" }
}

/// `4x4`.
struct BlockSize: ExpressibleByArgument {
  var height: Int
  var width: Int

  init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  init?(argument: String) {
    guard let (height, width) = pair(argument.lowercased(), separator: "x") else { return nil }
    self.init(height: height, width: width)
  }

  var defaultValueDescription: String { "\(height)x\(width)" }
}
