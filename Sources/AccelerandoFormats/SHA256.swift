// Checksums verify downloads, and compare the bits of two training runs. The system's own library computes them:
// building a package for it would cost every fresh clone minutes.

import AccelerandoCore
import Foundation

#if canImport(CryptoKit)
  import CryptoKit
#else
  import COpenSSL
#endif

/// A SHA-256 digest that is being computed.
public final class SHA256Digest {
  #if canImport(CryptoKit)
    private var state = CryptoKit.SHA256()
  #else
    private let context: OpaquePointer
  #endif

  /// Makes the digest of no bytes.
  /// - Throws: `FormatError` when the system's library cannot be used.
  public init() throws {
    #if !canImport(CryptoKit)
      guard let context = EVP_MD_CTX_new() else { throw Self.failure }
      self.context = context
      guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { throw Self.failure }
    #endif
  }

  deinit {
    #if !canImport(CryptoKit)
      EVP_MD_CTX_free(context)
    #endif
  }

  /// Appends bytes.
  public func update(_ bytes: UnsafeRawBufferPointer) throws {
    #if canImport(CryptoKit)
      state.update(bufferPointer: bytes)
    #else
      guard EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 else { throw Self.failure }
    #endif
  }

  /// Appends the UTF-8 of a text.
  public func update(_ text: String) throws {
    try Array(text.utf8).withUnsafeBytes { try update($0) }
  }

  /// The digest as 64 lowercase hexadecimal digits. Nothing can be appended after it.
  public func finish() throws -> String {
    #if canImport(CryptoKit)
      let digest = Array(state.finalize())
    #else
      var digest = [UInt8](repeating: 0, count: 32)
      guard EVP_DigestFinal_ex(context, &digest, nil) == 1 else { throw Self.failure }
    #endif
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The digest of a whole file.
  /// - Throws: `FormatError` when the file cannot be read.
  public static func hex(of url: URL) throws -> String {
    let digest = try SHA256Digest()
    try FileContents(url).withUnsafeBytes { try digest.update($0) }
    return try digest.finish()
  }

  /// The digest of named tensors in order: for each one its name, its type and its bytes.
  public static func hex(of tensors: [(name: String, value: NDArray)]) throws -> String {
    let digest = try SHA256Digest()
    for (name, value) in tensors {
      try digest.update("\(name.utf8.count):\(name)\(value.type)")
      try value.withUnsafeBytes { try digest.update($0) }
    }
    return try digest.finish()
  }

  #if !canImport(CryptoKit)
    private static var failure: FormatError {
      FormatError(
        file: "libcrypto", reason: "the system's SHA-256 cannot be used", remedy: "Install OpenSSL 1.1 or later")
    }
  #endif
}
