// The arithmetic of type rules. Attributes come from users, so every sum and product of them may be too large for any
// integer: that is an error of the trace like a size that does not fit.

/// The largest stride, dilation, padding or window size that an operation takes.
let largestAttribute = 1 << 24

/// Refuses attributes that are surely a mistake, before anything is computed with them.
/// - Parameters:
///   - values: the attributes.
///   - range: what is allowed.
///   - name: what they are, for the error: `strides`.
func require(_ values: [Int], in range: ClosedRange<Int>, _ name: String) throws(GraphError) {
  guard values.allSatisfy(range.contains) else {
    throw GraphError("needs \(name) of \(range.lowerBound) to \(range.upperBound); received \(values).")
  }
}

/// Refuses shapes with sizes below zero.
func requireSizes(_ shape: [Int]) throws(GraphError) {
  guard shape.allSatisfy({ $0 >= 0 }) else { throw GraphError("needs sizes of at least 0; received \(shape).") }
}

/// More elements than this lie along no axis. The sum of a few such sizes fits into an integer.
let largestSize = 1 << 58

/// How far `count` elements reach that are `step` apart; 0 for none.
func spannedSize(_ count: Int, step: Int) throws(GraphError) -> Int {
  if count == 0 { return 0 }
  let (distance, overflows) = (count - 1).multipliedReportingOverflow(by: step)
  guard !overflows, distance < largestSize else {
    throw GraphError("\(count) elements \(step) apart are more than any tensor has.")
  }
  return distance + 1
}

/// The sum of sizes and paddings.
func summedSize(_ parts: [Int]) throws(GraphError) -> Int {
  var total = 0
  for part in parts {
    let (next, overflows) = total.addingReportingOverflow(part)
    guard !overflows, next <= largestSize else {
      throw GraphError("the sizes \(parts) add up to more than any tensor has.")
    }
    total = next
  }
  return total
}
