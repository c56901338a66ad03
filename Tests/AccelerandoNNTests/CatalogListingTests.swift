// What the catalogs tell of themselves is what their readers do: every key that is written is listed, every default that is
// listed is what a missing key comes to.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct CatalogListingTests {
  static let catalogs: [any CatalogListing & Sendable] = [
    LayerCatalog(), Catalog.losses, Catalog.metrics, Catalog.optimizers, Catalog.schedules, Catalog.initializers,
    Catalog.regularizers, Catalog.constraints,
    Catalog.activations,
  ]

  @Test(arguments: catalogs.indices)
  func everyKindSaysWhatItIsAndWhatItsSettingsNeed(_ index: Int) throws {
    let catalog = Self.catalogs[index]
    #expect(!catalog.names.isEmpty)
    for name in catalog.names {
      let entry = try catalog.entry(name)
      #expect(entry.summary.hasSuffix("."), "\(name) says what it is in a sentence")
      for setting in entry.settings { #expect(!setting.kind.isEmpty, "\(name).\(setting.key) says what it needs") }
      #expect(Set(entry.settings.map(\.key)).count == entry.settings.count)
    }
  }

  @Test func theSettingsOfALayerAreThoseThatItReads() throws {
    let dense = try LayerCatalog().entry("dense")
    #expect(dense.name == "Dense")
    #expect(
      dense.settings.map(\.key) == [
        "units", "activation", "use_bias", "lora_rank", "lora_alpha", "kernel_initializer", "bias_initializer", "name",
        "kernel_regularizer", "kernel_constraint", "bias_regularizer", "bias_constraint", "activity_regularizer",
        "trainable",
      ])
    #expect(dense.settings[0].isRequired && dense.settings[0].kind == "a whole number of at least 1")
    #expect(dense.settings[1].fallback == "linear" && dense.settings[2].fallback == true)
    #expect(dense.settings[5].fallback == "glorot_uniform")
    let dropout = try LayerCatalog().entry("Dropout")
    #expect(dropout.settings[0] == Setting("rate", kind: "a number from 0 to 1", isRequired: true))
    let pooling = try LayerCatalog().entry("MaxPooling2D")
    #expect(pooling.settings.map(\.key) == ["pool_size", "strides", "padding", "data_format", "name"])
    #expect(pooling.settings[0].fallback == .ints([2, 2]) && pooling.settings[1].fallback == nil)
    #expect(pooling.settings[2].kind == "one of valid, same" && pooling.settings[2].fallback == "valid")
    let adamW = try Catalog.optimizers.entry("AdamW")
    #expect(adamW.settings.first { $0.key == "weight_decay" }?.fallback == 0.004)
    #expect(adamW.settings.contains { $0.key == "global_clipnorm" && $0.kind == "a number above 0" })
    let decay = try Catalog.schedules.entry("cosine_decay")
    #expect(decay.settings.filter(\.isRequired).map(\.key) == ["initial_learning_rate", "decay_steps"])
    #expect(throws: ConfigError.self) { try Catalog.losses.entry("focal") }
  }

  @Test func defaultsThatAreListedAreThoseThatAreTaken() throws {
    func check<Item>(_ catalog: Catalog<Item>) throws {
      for name in catalog.names {
        let settings = try catalog.entry(name).settings
        guard !settings.contains(where: \.isRequired) else { continue }
        let listed = settings.compactMap { setting in
          setting.fallback.map { Config.Entry(setting.key, $0) }
        }
        let written = Config(.object([Config.Entry("name", Config(.string(name)))] + listed))
        #expect(try catalog.config(of: catalog.make(written)) == catalog.config(of: catalog.named(name)), "\(name)")
      }
    }
    try check(.losses)
    try check(.metrics)
    try check(.optimizers)
    try check(.initializers)
    try check(.regularizers)
    try check(.constraints)
    try check(.activations)
  }

  @Test func everyKeyThatIsWrittenIsListed() throws {
    func check<Item>(_ catalog: Catalog<Item>) throws {
      for name in catalog.names {
        guard let item = try? catalog.named(name), case .object(let entries) = try catalog.config(of: item).value
        else { continue }
        let known = Set(try catalog.entry(name).settings.map(\.key) + ["name"])
        for entry in entries { #expect(known.contains(entry.key), "\(name).\(entry.key)") }
      }
    }
    try check(.losses)
    try check(.metrics)
    try check(.optimizers)
    try check(.initializers)
    try check(.regularizers)
    try check(.constraints)
    try check(.activations)
  }
}
