import Alliance
import TransparencyLog

extension FuzzTarget {
    static let documents: [FuzzTarget] = [
        FuzzTarget("json", seeds: ["json"]) { bytes in
            guard let value = try? JSONValue.parse(bytes) else { return }
            require((try? JSONValue.parse(value.encoded())) == value, "JSON reads back as itself")
            require((try? JSONValue.parse(value.encodedForReading())) == value, "JSON for people reads back as itself")
            require(String(validating: bytes, as: UTF8.self) != nil, "JSON is UTF-8")
        },
        FuzzTarget("statements", seeds: ["statements", "rosters", "state-leaves"]) { bytes in
            switch LogEntry(bytes) {
            case .stateLeaf(let leaf): require(leaf.bytes == bytes, "a state leaf is written as it was read")
            case .statement(let statement):
                require(statement.bytes == bytes && statement.identity == .sha256(bytes), "a statement keeps its bytes")
                require(statement.signatures.allSatisfy { $0.member == statement.issuer }, "one member signs")
                _ = (statement.register, statement.key)
            case .unknown, .malformed: break
            }
            // The signature hides the payload from a fuzzer that changes bytes: the payload is tried by itself too.
            for type in StatementKind.allCases.map(\.type) {
                let header = "{\"alg\":\"EdDSA\",\"typ\":\"\(type)\",\"kid\":\"did:web:pk.alliance.example#ayesha\"}"
                let signature = Base64.encodeURL([UInt8](repeating: 0, count: 64))
                let entry = "\(Base64.encodeURL(header.utf8)).\(Base64.encodeURL(bytes)).\(signature)"
                _ = LogEntry(Array(entry.utf8))
            }
        },
        FuzzTarget("charters", seeds: ["charters"], longest: 16_384) { bytes in
            if let charter = try? SignedCharter(parsing: bytes) {
                require(charter.digest == .sha256(charter.payload), "the digest is the payload's")
                _ = try? charter.verifyFirst()
            }
            guard let charter = try? Charter(payload: bytes), let payload = try? charter.payload() else { return }
            require((try? Charter(payload: payload)) == charter, "a charter reads back as itself")
        },
        FuzzTarget("definitions", seeds: ["definitions"], longest: 16_384) { bytes in
            if let definition = try? RegisterDefinition(descriptor: bytes) {
                require(definition.descriptor == bytes, "a definition keeps its bytes")
                require(definition.columns.count == definition.fields.count + 4, "every field is a column")
            }
            guard let text = String(validating: bytes, as: UTF8.self), let cut = text.firstIndex(of: "\n"),
                let pattern = try? FieldPattern(String(text[..<cut]))
            else { return }
            _ = pattern.matches(String(text[text.index(after: cut)...]))
        },
        FuzzTarget("proof-files", seeds: ["proof-files"], longest: 16_384) { bytes in
            guard let proof = try? ProofFile(parsing: bytes) else { return }
            require(proof.encoded() == bytes, "a proof file is written as it was read")
        },
        FuzzTarget("csv", seeds: ["csv-own", "csv-esma", "csv-numbers"]) { bytes in
            for definition in BuiltInRegisters.all {
                guard let result = try? RegisterImport(into: definition, zone: .utc).read(bytes) else { continue }
                let counts = result.counts
                require(
                    counts.read == counts.asWritten + counts.withNotes + counts.refused, "every row goes one way")
                require(result.refused.allSatisfy { !$0.reasons.isEmpty }, "a refused row has a reason")
                let report = ImportReport(result, changes: nil, memberName: "Pakistan", definition: definition)
                require(!report.text(all: true).isEmpty, "a report says something")
            }
        },
    ]
}
