public import TransparencyLog

/// One start of a node that may sign in a member's log (formats, section 12).
///
/// Replicas accept only the incarnation with the largest number that they know of, so that of two copies of one node the
/// one that started later goes on, and the other is told.
public struct Incarnation: Hashable, Sendable, CustomStringConvertible {
    /// Bytes of ``value``.
    public static let valueByteCount = 16
    /// The largest number.
    public static let numberLimit: UInt64 = 1 << 53

    /// Larger than that of every start before that is known; from 1 on.
    public let number: UInt64
    /// Random: tells two copies apart that came upon the same number.
    public let value: [UInt8]

    /// - Throws: ``AllianceError`` `invalidField` for another length, or a number out of range.
    public init(number: UInt64, value: [UInt8]) throws(AllianceError) {
        guard value.count == Self.valueByteCount, (1...Self.numberLimit).contains(number) else {
            throw AllianceError(
                .invalidField, "an incarnation has a number from 1 on and \(Self.valueByteCount) bytes")
        }
        self.number = number
        self.value = value
    }

    /// The number and the value, as they stand in notes: `7 AAECAwQFBgcICQoLDA0ODw==`.
    public var description: String { "\(number) \(Base64.encode(value))" }

    /// Reads ``description``; nil for anything else.
    init?(parsing line: some Collection<UInt8>) {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Decimal64.parse(parts[0]),
            let value = Base64.decode(Array(parts[1])[...]), let read = try? Self(number: number, value: value)
        else { return nil }
        self = read
    }
}

/// What a node says when it starts: a note with its log's signature.
///
///     entente/incarnation/v1
///     log.example/test
///     7 AAECAwQFBgcICQoLDA0ODw==
///
///     — log.example/test …
public struct IncarnationNote: Hashable, Sendable {
    /// The text's first line.
    public static let firstLine = "entente/incarnation/v1"
    /// The most bytes of a note.
    public static let byteLimit = 2 << 10

    /// The log.
    public let origin: String
    /// The start.
    public let incarnation: Incarnation
    /// The note, with one signature.
    public let note: SignedNote

    /// The note's bytes.
    public var bytes: [UInt8] { note.bytes }

    /// Says that a node starts.
    ///
    /// - Parameter signer: the log's key; its name is the log's origin.
    /// - Throws: what the key throws.
    public init(_ incarnation: Incarnation, signer: NoteSigner) throws {
        let text = Array("\(Self.firstLine)\n\(signer.name)\n\(incarnation)\n".utf8)
        note = try SignedNote(text: text, signatures: [try signer.sign(text)])
        origin = signer.name
        self.incarnation = incarnation
    }

    /// Reads a note strictly; verifies nothing.
    ///
    /// - Throws: ``AllianceError``: `limit` above ``byteLimit``, else `malformed`.
    public init(parsing bytes: [UInt8]) throws(AllianceError) {
        let (note, lines) = try IncarnationLines.read(bytes, first: Self.firstLine, count: 3)
        guard let origin = String(validating: lines[1], as: UTF8.self), let read = Incarnation(parsing: lines[2]) else {
            throw AllianceError(.malformed, "a log and an incarnation are due")
        }
        self.origin = origin
        self.note = note
        incarnation = read
    }

    /// Checks that the log's key signed it.
    ///
    /// - Throws: ``AllianceError`` `badSignature`.
    public func verify(by key: VerifierKey) throws(AllianceError) {
        guard key.name.utf8.elementsEqual(origin.utf8), (try? note.verify([key])) != nil else {
            throw AllianceError(.badSignature, "the key of \(origin) did not sign this incarnation")
        }
    }
}

/// A replica's answer to an ``IncarnationNote``: it accepts no older incarnation from now on, and says what it holds of the
/// log. A note with the cosignature of its replica key.
///
///     entente/incarnation-receipt/v1
///     log.example/test
///     7 AAECAwQFBgcICQoLDA0ODw==
///     8 XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=
///     6 EBESExQVFhcYGRobHB0eHw==
///
///     — witness.example/w1 …
///
/// The fourth line is the size and the root of what it holds; the fifth the incarnation that it had recorded before, or `-`.
public struct IncarnationReceipt: Hashable, Sendable {
    /// The text's first line.
    public static let firstLine = "entente/incarnation-receipt/v1"
    /// The most bytes of a receipt.
    public static let byteLimit = 2 << 10

    /// The log.
    public let origin: String
    /// The start that was recorded.
    public let incarnation: Incarnation
    /// The number of entries that the replica held whole then, and the root of their tree.
    public let size: UInt64
    public let root: HashValue
    /// What the replica had recorded as newest before; nil for nothing.
    public let before: Incarnation?
    /// The receipt as a note, with one signature.
    public let note: SignedNote

    /// The note's bytes.
    public var bytes: [UInt8] { note.bytes }

    /// The text that a replica signs.
    ///
    /// - Parameters:
    ///   - start: what was recorded.
    ///   - size, root: what is held of the log.
    ///   - before: what was recorded before.
    public static func text(
        _ start: IncarnationNote, size: UInt64, root: HashValue, before: Incarnation?
    ) -> [UInt8] {
        let last = before.map { "\($0)" } ?? "-"
        return Array("\(firstLine)\n\(start.origin)\n\(start.incarnation)\n\(size) \(root.base64)\n\(last)\n".utf8)
    }

    /// Reads a receipt strictly; verifies nothing.
    ///
    /// - Throws: ``AllianceError``: `limit` above ``byteLimit``, else `malformed`.
    public init(parsing bytes: [UInt8]) throws(AllianceError) {
        let (note, lines) = try IncarnationLines.read(bytes, first: Self.firstLine, count: 5)
        let held = lines[3].split(separator: 0x20, omittingEmptySubsequences: false)
        guard let origin = String(validating: lines[1], as: UTF8.self), let read = Incarnation(parsing: lines[2]),
            held.count == 2, let size = Decimal64.parse(held[0]),
            let root = HashValue(base64: String(decoding: held[1], as: UTF8.self))
        else { throw AllianceError(.malformed, "a log, an incarnation, and a size with its root are due") }
        before = Incarnation(parsing: lines[4])
        guard before != nil || lines[4].elementsEqual("-".utf8) else {
            throw AllianceError(.malformed, "the last line is an incarnation or -")
        }
        (self.origin, incarnation, self.size, self.root, self.note) = (origin, read, size, root, note)
    }

    /// Checks that a replica key made it.
    ///
    /// - Throws: ``AllianceError`` `badSignature`.
    public func verify(by key: VerifierKey) throws(AllianceError) {
        guard (try? CosignatureSigner.verify(note.signatures[0], key: key, text: note.text)) != nil else {
            throw AllianceError(.badSignature, "\(key.name) did not sign this receipt")
        }
    }
}

enum IncarnationLines {
    /// Reads a note with one signature, whose text has so many lines.
    static func read(
        _ bytes: [UInt8], first: String, count: Int
    ) throws(AllianceError) -> (note: SignedNote, lines: [ArraySlice<UInt8>]) {
        guard bytes.count <= IncarnationNote.byteLimit else {
            throw AllianceError(.limit, "it has at most \(IncarnationNote.byteLimit) bytes, this has \(bytes.count)")
        }
        let note: SignedNote
        do { note = try SignedNote(parsing: bytes) } catch { throw AllianceError(.malformed, "\(error)") }
        let lines = note.text.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false)
        guard note.signatures.count == 1, lines.count == count, lines[0].elementsEqual(first.utf8) else {
            throw AllianceError(.malformed, "\(first), \(count) lines and one signature are due")
        }
        return (note, lines)
    }
}
