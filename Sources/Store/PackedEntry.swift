import Alliance
import Foundation
import TransparencyLog

/// How an entry's bytes stand in the table: a compact JWS without its base64url, which takes a quarter less; anything
/// else as it is.
///
///     0 ‖ the bytes
///     1 ‖ uint16 length of the decoded header ‖ uint32 length of the decoded payload ‖ header ‖ payload ‖ signature
///
/// Lengths are big-endian. Only canonical base64url is packed, and that is written in one way, so unpacking gives
/// exactly the bytes that were packed.
enum PackedEntry {
    private static let plain: UInt8 = 0
    private static let compact: UInt8 = 1
    private static let lengths = 7

    /// Packs an entry.
    static func pack(_ entry: [UInt8]) -> [UInt8] {
        guard entry.count <= Statement.byteLimit, let (first, second) = JWS.points(in: entry),
            let header = Base64.decodeURL(entry[..<first]), header.count <= Int(UInt16.max),
            let payload = Base64.decodeURL(entry[(first + 1)..<second]),
            let signature = Base64.decodeURL(entry[(second + 1)...])
        else { return [plain] + entry }
        var packed: [UInt8] = []
        packed.reserveCapacity(lengths + header.count + payload.count + signature.count)
        packed.append(compact)
        withUnsafeBytes(of: UInt16(header.count).bigEndian) { packed.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt32(payload.count).bigEndian) { packed.append(contentsOf: $0) }
        packed += header
        packed += payload
        packed += signature
        return packed
    }

    /// The entry's bytes; nil where these are no packed entry.
    static func unpack(_ packed: UnsafeRawBufferPointer) -> [UInt8]? {
        switch packed.first {
        case plain: return Array(packed.dropFirst())
        case compact: break
        default: return nil
        }
        guard packed.count >= lengths else { return nil }
        let header = Int(UInt16(bigEndian: packed.loadUnaligned(fromByteOffset: 1, as: UInt16.self)))
        let payload = Int(UInt32(bigEndian: packed.loadUnaligned(fromByteOffset: 3, as: UInt32.self)))
        guard packed.count - lengths >= header, packed.count - lengths - header >= payload else { return nil }
        let parts = [
            packed[lengths..<lengths + header], packed[(lengths + header)..<(lengths + header + payload)],
            packed[(lengths + header + payload)...],
        ]
        var entry: [UInt8] = []
        entry.reserveCapacity((packed.count - lengths) * 4 / 3 + 6)
        for (position, part) in parts.enumerated() {
            if position > 0 { entry.append(UInt8(ascii: ".")) }
            Base64.appendURL(UnsafeRawBufferPointer(rebasing: part), to: &entry)
        }
        return entry
    }

    /// The entry's bytes, from the table.
    ///
    /// - Throws: ``StoreError`` with code `damaged`.
    static func bytes(_ packed: UnsafeRawBufferPointer) throws -> [UInt8] {
        guard let entry = unpack(packed) else {
            throw StoreError(.damaged, "a stored entry is damaged; run entente fsck")
        }
        return entry
    }

    /// The entry's bytes for an audit: what is no packed entry stands for itself, which no leaf of a log is the hash of.
    static func audited(_ packed: Data?) -> [UInt8] {
        (packed ?? Data()).withUnsafeBytes { unpack($0) ?? [UInt8]($0) }
    }
}
