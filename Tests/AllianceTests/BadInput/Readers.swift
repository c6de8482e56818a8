import TestSupport
import TransparencyLog

@testable import Alliance

/// One folder of `Tests/BadInput` and the reader that its files are for.
struct BadInputReader: Sendable {
    let folder: String
    let read: @Sendable ([UInt8]) throws -> Void

    init(_ folder: String, _ read: @escaping @Sendable ([UInt8]) throws -> Void) {
        self.folder = folder
        self.read = read
    }

    /// What the reader says, with the typed error's code, place and reason.
    func outcome(_ bytes: [UInt8]) -> BadInput.Outcome {
        do { try read(bytes) } catch let error as TransparencyLogError {
            return .init(code: error.code.description, place: error.place, reason: error.reason)
        } catch let error as AllianceError {
            return .init(code: error.code.rawValue, place: error.place, reason: error.reason)
        } catch let error as RegisterError {
            return .init(code: error.code.rawValue, place: error.place, reason: error.reason)
        } catch let error as JSONError {
            return .init(code: "json", place: "byte \(error.offset)", reason: error.reason)
        } catch let error as ImportError {
            let place = [error.line.map { "line \($0)" }, error.column.map { "column \($0)" }].compactMap { $0 }
            return .init(code: error.code.rawValue, place: place.joined(separator: ", "), reason: error.reason)
        } catch let error as RefusedRows {
            return .init(code: "refused", place: error.place, reason: error.reason)
        } catch {
            return .init(code: "\(type(of: error))", reason: "\(error)")
        }
        return .accepted
    }
}

/// The first row of a file that could not be taken.
struct RefusedRows: Error {
    let place: String
    let reason: String
}

extension BadInputReader {
    static let all: [BadInputReader] = logFormats + documents + tables

    private static let vectorLog = "log.example/test+6ffdf1c0+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    private static let vectorWitness = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    private static let vectorText = Array("log.example/test\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n".utf8)

    private static let logFormats: [BadInputReader] = [
        BadInputReader("notes") { bytes in
            let keys = [try VerifierKey(parsing: vectorLog), try VerifierKey(parsing: vectorWitness)]
            _ = try SignedNote(parsing: bytes).verify(keys)
        },
        BadInputReader("checkpoints") { _ = try Checkpoint(parsing: $0) },
        BadInputReader("cosignatures") { bytes in
            let line = try NoteSignature(parsing: bytes[...])
            _ = try CosignatureSigner.verify(line, key: VerifierKey(parsing: vectorWitness), text: vectorText)
        },
        BadInputReader("keys") { bytes in
            // A key reaches this reader as text; bytes that are none stop before it.
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw TransparencyLogError(.invalidKey, "a key's name is not UTF-8")
            }
            _ = try VerifierKey(parsing: text)
        },
        BadInputReader("tlog-proofs") { bytes in
            let proof = try TLogProof(parsing: bytes)
            let leaf = MerkleTree.leafHash(Array("@ABC".utf8))
            _ = try proof.verify(leaf: leaf, keys: [VerifierKey(parsing: vectorLog)])
        },
        BadInputReader("witness-requests") { _ = try AddCheckpointRequest(parsing: $0) },
        BadInputReader("map-proofs") { _ = try RegisterMapProof(parsing: $0) },
        BadInputReader("tile-paths") { _ = try TilePath(parsing: String(decoding: $0, as: UTF8.self)) },
        BadInputReader("entry-bundles") { _ = try EntryBundle.decode($0) },
        BadInputReader("policies") { _ = try TLogPolicy(parsing: $0) },
        BadInputReader("state-leaves") { _ = try StateLeaf(parsing: $0) },
    ]
}

extension BadInputReader {
    private static let documents: [BadInputReader] = [
        BadInputReader("json") { _ = try JSONTape($0) },
        BadInputReader("statements") { _ = try Statement(parsing: $0) },
        BadInputReader("rosters") { _ = try Statement(parsing: $0) },
        BadInputReader("charters") { _ = try SignedCharter(parsing: $0).verifyFirst() },
        BadInputReader("definitions") { _ = try RegisterDefinition(descriptor: $0) },
        BadInputReader("proof-files") { _ = try ProofFile(parsing: $0) },
    ]
}

extension BadInputReader {
    private static let tables: [BadInputReader] = [
        BadInputReader("csv-own") { try readRows($0, of: "warnings") },
        BadInputReader("csv-numbers") { try readRows($0, of: "mining-allocations") },
        BadInputReader("csv-esma") { bytes in
            // The same reader takes both layouts; the header decides.
            try readRows(bytes, of: "vasp-licences")
        },
    ]

    /// Reads a file of rows, and throws for the first row that is refused.
    private static func readRows(_ bytes: [UInt8], of register: String) throws {
        guard let definition = BuiltInRegisters.definition(named: register) else { return }
        let result = try RegisterImport(into: definition, zone: .utc).read(bytes)
        guard let row = result.refused.first, let reason = row.reasons.first else { return }
        let column = reason.column.isEmpty ? "" : ", \(reason.column)"
        throw RefusedRows(place: "line \(row.line)\(column)", reason: reason.text)
    }
}

extension BadInputReader {
    /// Formats of lines or items of which any number may stand: what is left may be whole.
    static let mayBeCut: Set<String> = [
        "csv-esma", "csv-numbers", "csv-own", "notes", "checkpoints", "entry-bundles", "state-leaves", "tile-paths",
        "tlog-proofs", "witness-requests",
    ]
}
