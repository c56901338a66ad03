// The way from a text to its tokens. It works on bytes in memory that is used again: vectorizing a data set splits it
// twice, and most of that time would be spent on making strings.

/// Standardizes texts and splits them into tokens, by the settings of `TextVectorization`.
struct WordSplitter {
  private let lowers: Bool
  private let strips: Bool
  private let split: TextVectorization.Split?
  private let ngrams: [Int]?
  private var bytes: [UInt8] = []
  private var words: [Range<Int>] = []

  init(standardize: TextVectorization.Standardization?, split: TextVectorization.Split?, ngrams: [Int]?) {
    lowers = standardize == .lower || standardize == .lowerAndStripPunctuation
    strips = standardize == .stripPunctuation || standardize == .lowerAndStripPunctuation
    self.split = split
    self.ngrams = ngrams
  }

  /// Calls `body` with each token in order.
  mutating func tokens(of text: String, _ body: (String) -> Void) {
    standardize(text)
    findWords()
    guard let ngrams else {
      for word in words { body(String(decoding: bytes[word], as: UTF8.self)) }
      return
    }
    for width in ngrams where width <= words.count {
      for first in 0...words.count - width {
        var token: [UInt8] = []
        for (number, word) in words[first..<first + width].enumerated() {
          if number > 0 { token.append(UInt8(ascii: " ")) }
          token += bytes[word]
        }
        body(String(decoding: token, as: UTF8.self))
      }
    }
  }

  private mutating func standardize(_ text: String) {
    bytes.removeAll(keepingCapacity: true)
    for byte in text.utf8 {
      if lowers, (0x41...0x5a).contains(byte) {
        bytes.append(byte | 0x20)
      } else if !strips || !Self.isPunctuation(byte) {
        bytes.append(byte)
      }
    }
  }

  /// Whether a byte is one of ASCII's `!"#$%&'()*+,-./:;<=>?@[\]^_{|}~` or the grave accent.
  private static func isPunctuation(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e: true
    default: false
    }
  }

  private mutating func findWords() {
    words.removeAll(keepingCapacity: true)
    switch split {
    case nil: words.append(0..<bytes.count)
    case .character:
      var start = 0
      while start < bytes.count {
        var end = start + 1
        // Bytes 10xxxxxx continue a scalar.
        while end < bytes.count, bytes[end] & 0xc0 == 0x80 { end += 1 }
        words.append(start..<end)
        start = end
      }
    case .whitespace:
      var start: Int?
      for (place, byte) in bytes.enumerated() {
        let isSpace = byte == 0x20 || (0x09...0x0d).contains(byte)
        if isSpace, let first = start {
          words.append(first..<place)
          start = nil
        } else if !isSpace, start == nil {
          start = place
        }
      }
      if let start { words.append(start..<bytes.count) }
    }
  }
}
