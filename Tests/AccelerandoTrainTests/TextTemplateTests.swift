import Testing

@testable import AccelerandoTrain

/// The expected texts are what Python 3.11's `format` gives.
@Suite struct TextTemplateTests {
  @Test(arguments: [
    ("{:0.4f}", 0.123456, "0.1235"), ("{:.2f}", 0.005, "0.01"), ("{:.3e}", 1234.5, "1.234e+03"),
    ("{:8.3f}", 3.14159, "   3.142"), ("{:<8.3f}|", 3.14159, "3.142   |"), ("{:^9.2f}|", -2.5, "  -2.50  |"),
    ("{:+.1f}", 2.25, "+2.2"), ("{: .1f}", 2.0, " 2.0"), ("{:08.3f}", -3.14159, "-003.142"),
    ("{:*>8.1f}", 1.0, "*****1.0"), ("{:.1%}", 0.1234, "12.3%"), ("{:g}", 0.0001, "0.0001"),
    ("{:,.1f}", 1234567.89, "1,234,567.9"), ("{:_.0f}", 1234567.0, "1_234_567"), ("{:.3}", 3.14159, "3.14"),
    ("{}", 0.1, "0.1"), ("{:.2f}", Double.nan, "nan"), ("{:F}", Double.infinity, "INF"), ("{:E}", 0.5, "5.000000E-01"),
  ]) func realNumbersAreWrittenAsPythonWritesThem(_ spec: String, _ value: Double, _ expected: String) throws {
    let template = try TextTemplate(spec.replacing("{:", with: "{x:").replacing("{}", with: "{x}"))
    #expect(template.filled { _ in .real(value) } == expected)
  }

  @Test(arguments: [
    ("{x}", 7, "7"), ("{x:02d}", 7, "07"), ("{x:3}|", 7, "  7|"), ("{x:<4d}|", 7, "7   |"), ("{x:b}", 5, "101"),
    ("{x:#x}", 255, "0xff"), ("{x:+d}", 5, "+5"), ("{x:,}", 12345, "12,345"), ("{x:.1f}", 3, "3.0"),
    ("{{{x}}}", 3, "{3}"), ("{x:05}", -42, "-0042"), ("{x:.2e}", 1500, "1.50e+03"),
  ]) func wholeNumbersAreWrittenAsPythonWritesThem(_ spec: String, _ value: Int, _ expected: String) throws {
    #expect(try TextTemplate(spec).filled { _ in .whole(value) } == expected)
  }

  @Test(arguments: ["{", "}", "{x", "{}", "{:d}", "{x:zz}", "{x:.f}", "{x:999999999999d}", "{x:.2d}", "{x!r}{"])
  func whatIsNoTemplateIsRefused(_ text: String) {
    #expect(throws: TextTemplate.Mistake.self) { try TextTemplate(text) }
  }
}
