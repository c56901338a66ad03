import AccelerandoNN
import AccelerandoRecipes
import AccelerandoTestSupport
import Foundation
import Testing

@Suite struct YAMLTests {
  private func complaint(_ text: String) -> String {
    do {
      _ = try Config(yaml: text, file: "r.yaml")
      return "no error"
    } catch { return "\(error)" }
  }

  private func items(_ text: String) throws -> [Config.Value] {
    guard case .array(let items) = try Config(yaml: text, file: "x").value else { return [] }
    return items.map(\.value)
  }

  @Test func brokenYAMLIsRefusedWithItsLine() {
    #expect(complaint("data: [1, 2\nlayers: x").hasPrefix("r.yaml:2: this is not YAML"))
    #expect(complaint("a: 1\nb: 2\na: 3").contains("r.yaml:3: the setting 'a' stands here twice"))
    #expect(complaint("a: *nothing").contains("r.yaml:1: there is no '&nothing'"))
    #expect(complaint("a: &a [*a]").contains("there is no '&a' before"))
    #expect(complaint("a: 1\n---\nb: 2").contains("r.yaml:2: needs one document"))
    #expect(complaint("? [a]\n: 1").contains("a setting needs a plain name"))
    #expect(complaint(String(repeating: "[", count: 300)).contains("nested more than 256 deep"))
    #expect(complaint(String(repeating: "[", count: 200_000)).contains("this is not YAML"))
    #expect(complaint("a: \u{7}").contains("this is not text"))
    #expect(complaint("") == "no error" && complaint("# nothing\n") == "no error")
  }

  /// Each line stands for nine of the line before: 200 bytes for more than any memory holds.
  @Test func aliasesOfAliasesAreRefusedBeforeTheyAreMultiplied() {
    for (open, close) in [("[", "]"), ("{? [", "] : 1}"), ("{k: [", "]}")] {
      var text = "- &a0 [x, x]\n"
      for level in 1...30 {
        let aliases = [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ",")
        text += "- &a\(level) \(open)\(aliases)\(close)\n"
      }
      #expect(complaint(text).hasPrefix("r.yaml:"), "\(complaint(text))")
    }
    var keys = "- &k0 a\n"
    for level in 1...30 { keys += "- &k\(level) {? *k\(level - 1) : x, ? [*k\(level - 1), *k\(level - 1)] : y}\n" }
    #expect(complaint(keys).contains("a setting needs a plain name"))
    let bomb = (1...30).reduce("a0: &a0 [x, x]\n") { text, level in
      text + "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n"
    }
    #expect(complaint(bomb).contains("expands to more than 100000 settings"))
  }

  @Test func aliasesStandForWhatTheyName() throws {
    let config = try Config(yaml: "base: &b {units: 3}\nfirst: &key other\nall: [*b, *b]\n*key : y", file: "x")
    #expect(config["other"]?.value == .string("y"))
    #expect(config["all"]?.value == .array([config["base"], config["base"]].compactMap { $0 }))
    #expect(complaint("&k a: 1\n*k : 2").contains("the setting 'a' stands here twice"))
  }

  @Test func scalarsAreWhatYAML12SaysTheyAre() throws {
    let cases: [(String, Config.Value)] = [
      ("1", .int(1)), ("-2", .int(-2)), ("+3", .int(3)), ("007", .int(7)), ("0o17", .int(15)), ("0x1F", .int(31)),
      ("0xffffffffffffffffff", .double(0xffff_ffff_ffff_ffffp8 + 255)), ("1.5", .double(1.5)), ("1e-3", .double(0.001)),
      (".5", .double(0.5)), ("5.", .double(5)), ("-.5E+1", .double(-5)), ("1.e2", .double(100)),
      ("99999999999999999999", .double(1e20)), (".inf", .double(.infinity)), ("-.Inf", .double(-.infinity)),
      ("+.INF", .double(.infinity)), ("true", .bool(true)), ("False", .bool(false)), ("null", .null), ("~", .null),
      ("no", .string("no")), ("on", .string("on")), ("'1'", .string("1")), ("\"true\"", .string("true")),
      ("1.2.3", .string("1.2.3")), ("0x", .string("0x")), ("0xg", .string("0xg")), ("0o8", .string("0o8")),
      ("-0x10", .string("-0x10")), ("0x-1", .string("0x-1")), ("nan", .string("nan")), ("inf", .string("inf")),
      (".", .string(".")), ("+", .string("+")), ("e1", .string("e1")), ("1e", .string("1e")),
      ("1_000", .string("1_000")),
      ("0x1p3", .string("0x1p3")), ("!!str 1", .string("1")), ("! 1", .string("1")), ("!!float 1", .double(1)),
      ("!!int '1'", .int(1)), ("!!null ''", .null), ("!!bool true", .bool(true)),
    ]
    for (text, value) in cases { #expect(try items("- \(text)") == [value], "\(text)") }
    for text in [".nan", ".NaN", ".NAN"] {
      guard case .double(let number)? = try items("- \(text)").first else { Issue.record("\(text)"); continue }
      #expect(number.isNaN)
    }
    #expect(complaint("- !!int x").contains("'x' cannot have the tag '!!int'"))
    #expect(complaint("- !mine x").contains("'!mine'") && complaint("- !!set {}").contains("'!!set'"))
  }

  @Test func keysAreComparedByTheirBytes() throws {
    let config = try Config(yaml: "\u{e9}: 1\ne\u{301}: 2", file: "x")
    guard case .object(let entries) = config.value else { return #expect(Bool(false)) }
    #expect(entries.map(\.value.value) == [.int(1), .int(2)])
    #expect(try Config(json: config.json, file: "x").json == config.json)
  }

  @Test(arguments: BuiltInRecipe.all.map(\.name))
  func damagedRecipesNeverTrap(_ name: String) throws {
    let original = Array(try #require(BuiltInRecipe.named(name)).yaml.utf8)
    var random = RandomSource(seed: 7)
    for round in 0..<Mutation.rounds {
      let text = String(decoding: Mutation.damaged(original, words: Mutation.yamlWords, using: &random), as: UTF8.self)
      do {
        _ = try Recipe(yaml: text, name: "r", file: "r.yaml", directory: FileManager.default.temporaryDirectory)
      } catch is ConfigError {
      } catch { Issue.record("round \(round): something else was thrown: \(error)") }
    }
  }
}
