// Suggestions for unknown names. Only near spellings are suggested: offering 'acc' for 'auc' would be a guess that
// looks like knowledge.

/// The word among `candidates` that `word` is probably a misspelling of; nil if none is near enough.
///
/// Case does not count. One letter in four may be missing, too many, another one or in its neighbour's place, and three
/// at most. In words of three letters none may be another one, and digits are never mistaken: `Conv1D` is not `Conv2D`.
/// Where no word is that near, the shortest that `word` is the beginning of is meant: `cuda12` for `cuda`.
public func nearestWord(to word: String, among candidates: some Sequence<String>) -> String? {
  let letters = Array(word.lowercased().prefix(64))
  guard !letters.isEmpty else { return nil }
  let limit = min(max(letters.count / 4, 1), 3)
  let near = candidates.compactMap { candidate -> (word: String, distance: Int)? in
    let other = Array(candidate.lowercased().prefix(64))
    guard other.filter(\.isNumber) == letters.filter(\.isNumber) else { return nil }
    let distance = editDistance(letters, other, replaces: letters.count > 3)
    return distance <= limit ? (candidate, distance) : nil
  }
  if let nearest = near.min(by: { ($0.distance, $0.word) < ($1.distance, $1.word) }) { return nearest.word }
  guard letters.count >= 3 else { return nil }
  let longer = candidates.filter { $0.lowercased().hasPrefix(String(letters)) }
  return longer.min { ($0.count, $0) < ($1.count, $1) }
}

/// The number of letters to insert, remove, replace or exchange with their neighbour to make one word of the other (the
/// distance of Damerau and Levenshtein, no letter touched twice).
/// - Parameter replaces: whether replacing a letter counts as one change; otherwise as two.
private func editDistance(_ a: [Character], _ b: [Character], replaces: Bool) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...b.count)
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      let replaced = last[j] + (a[i] == b[j] ? 0 : replaces ? 1 : 2)
      var best = min(replaced, last[j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
      row.append(best)
    }
    (beforeLast, last) = (last, row)
  }
  return last[b.count]
}

/// What to say of a name that nothing has: that Keras knows it and Accelerando does not, or the nearest spelling.
func advice(for name: String, in subject: String, among names: [String]) -> String {
  let known = kerasNames[subject, default: []].contains { sameName($0, name) }
  if known { return " Keras has it; it is not available here." }
  return nearestWord(to: name, among: names).map { " Did you mean '\($0)'?" } ?? ""
}

/// Whether two names are one in other spellings: `MeanSquaredError` and `mean_squared_error`.
func sameName(_ a: String, _ b: String) -> Bool { plainName(a) == plainName(b) }

/// A name without its case and what stands between its words.
func plainName(_ name: String) -> String {
  String(name.lowercased().filter { $0 != "_" && $0 != "-" && $0 != " " })
}

/// Names that exist in Keras and that users may try. Those that a catalog knows are found there first.
private let kerasNames: [String: [String]] = [
  "layer": [
    "AugMix", "AutoContrast", "CategoryEncoding", "CenterCrop", "CutMix", "Discretization",
    "Equalization", "Hashing", "HashedCrossing", "InputLayer", "IntegerLookup", "Lambda", "MelSpectrogram", "MixUp",
    "Normalization", "RandAugment", "RandomBrightness", "RandomContrast", "RandomCrop", "RandomErasing", "RandomFlip",
    "RandomHue", "RandomRotation", "RandomTranslation", "RandomZoom", "Resizing", "ReversibleEmbedding",
    "STFTSpectrogram", "Solarization", "SpectralNormalization", "StringLookup", "TextVectorization",
  ],
  "loss": [],
  "metric": ["mean", "sum"],
  "optimizer": ["loss_scale_optimizer", "multi_optimizer"],
  "schedule": [],
  "initializer": ["identity_initializer", "stft"],
  "activation": ["log_softmin"],
  "callback": [
    "BackupAndRestore", "LambdaCallback", "LearningRateScheduler", "OrbaxCheckpoint", "ProgbarLogger", "RemoteMonitor",
  ],
]
