import Foundation
import Testing
import TransparencyLog

@testable import Alliance

/// The files of `Docs/specification`.
enum SpecificationFiles {
    /// The folder, found from where this file really is.
    static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Docs/specification")

    /// Whether the vector files are to be written instead of compared.
    static let areWritten = ProcessInfo.processInfo.environment["ENTENTE_WRITE_VECTORS"] == "1"

    static func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    static func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: folder.appendingPathComponent(name))
    }
}

/// One file of vectors: made by the code, and the same as the committed one byte for byte.
///
/// Signatures are deterministic (RFC 8032), as swift-crypto makes them on Linux.
struct VectorFile: Sendable, CustomTestStringConvertible {
    let name: String
    /// What the file holds, for people; its first member.
    let about: String
    let make: @Sendable () throws -> JSONObject

    var testDescription: String { name }
    var path: String { "vectors/\(name).json" }

    func bytes() throws -> [UInt8] {
        var object: JSONObject = ["about": .string(about)]
        for member in try make().members { object[member.name] = member.value }
        return JSONValue.object(object).encodedForReading()
    }

    static let all: [VectorFile] = [
        .notes, .checkpoints, .cosignatures, .encodings, .trees, .tiles, .registerMaps, .mapProofs, .stateLeaves,
        .canonicalForms, .json, .timestamps, .charters, .statements, .logs, .proofs, .forks,
        .incarnations,
    ]
}

/// A case that a reader has to refuse, and why.
func refused(_ input: JSONObject, _ why: String) -> JSONValue {
    var object = input
    object["valid"] = false
    object["why"] = .string(why)
    return .object(object)
}

/// A case that a reader has to accept.
func accepted(_ input: JSONObject) -> JSONValue {
    var object = input
    object["valid"] = true
    return .object(object)
}

/// Bytes as a vector file has them.
func hex(_ bytes: some Sequence<UInt8>) -> JSONValue {
    let digits = Array("0123456789abcdef".utf8)
    return .string(String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self))
}

func base64(_ hashes: [HashValue]) -> JSONValue { .array(hashes.map { .string($0.base64) }) }

func text(_ bytes: [UInt8]) -> JSONValue { .string(String(decoding: bytes, as: UTF8.self)) }

/// That a vector does not do what it says: the code, or the vector, is wrong.
struct VectorError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    static func require(_ condition: Bool, _ description: String) throws {
        if !condition { throw VectorError(description) }
    }
}
