import Testing
import TransparencyLog

@Suite struct NoteTests {
    @Test func vectorOfTheFormats() throws {
        let signer = try NoteSigner(name: "log.example/test", seed: Vector.seed)
        let witness = try CosignatureSigner(name: "witness.example/w1", seed: Vector.seed)
        #expect(signer.verifierKey.description == Vector.logKey)
        #expect(witness.verifierKey.description == Vector.witnessKey)
        let text = utf8(Vector.text)
        // swift-crypto's Ed25519 signatures are RFC 8032's on Linux: the same bytes each time.
        #expect(try signer.sign(text).line == Vector.logLine)
        #expect(try signer.sign(Vector.text).line == Vector.logLine)
        #expect(try witness.sign(text, at: Vector.time).line == Vector.witnessLine)
        let note = try SignedNote(text: text, signatures: [signer.sign(text), witness.sign(text, at: Vector.time)])
        #expect(note.bytes == Vector.note)
        let parsed = try SignedNote(parsing: Vector.note)
        #expect(parsed == note)
        let verified = try parsed.verify(Vector.keys())
        #expect(verified.signatures.map(\.timestamp) == [nil, Vector.time])
        #expect(verified.signature(by: witness.verifierKey)?.line.line == Vector.witnessLine)
        let line = try NoteSignature(parsing: Vector.witnessLine)
        #expect(try Cosignature(parsing: line).timestamp == Vector.time)
        #expect(try CosignatureSigner.verify(line, key: witness.verifierKey, text: text) == Vector.time)
    }

    /// The example of C2SP signed-note, whose text has empty lines.
    @Test func textMayHaveEmptyLines() throws {
        let signer = try NoteSigner(name: "quasimodo.example/salvatore", seed: Vector.seed)
        let text = "Ognuno sta solo sul cuor della terra\n\ned è subito sera.\n\n"
        let note = try SignedNote(text: utf8(text), signatures: [signer.sign(text)])
        let parsed = try SignedNote(parsing: note.bytes)
        #expect(parsed.text == utf8(text))
        #expect(parsed.bytes == note.bytes)
        _ = try parsed.verify([signer.verifierKey])
    }

    @Test func everyBitCounts() throws {
        let policy = try Vector.policy()
        _ = try policy.verify(SignedNote(parsing: Vector.note))
        for bit in 0..<Vector.note.count * 8 {
            let bytes = Vector.note.flipping(bit: bit)
            #expect(isRefused { _ = try policy.verify(SignedNote(parsing: bytes)) }, "bit \(bit)")
        }
    }

    @Test func truncatedAndExtendedNotes() throws {
        let whole = try SignedNote(parsing: Vector.note)
        for count in 0..<Vector.note.count {
            guard let note = try? SignedNote(parsing: Array(Vector.note[..<count])) else { continue }
            // Only whole lines can be cut off.
            #expect(note.text == whole.text && note.signatures == Array(whole.signatures.prefix(1)))
        }
        for byte in UInt8.min...UInt8.max {
            #expect(isRefused { _ = try SignedNote(parsing: Vector.note + [byte]) })
        }
    }

    @Test func malformedNotes() throws {
        let line = Vector.logLine
        let bad = [
            "", "\n", "\n\n", "text\n", "text\n\n", "text\n" + line + "\n", "text\n\n" + line,
            "text\n\n" + line + "\n\n", "text\n\n" + line + "\nmore\n", "text\r\n\r\n" + line + "\r\n",
            "te\u{0}xt\n\n" + line + "\n", "te\txt\n\n" + line + "\n", "text\n\n" + line + "\r\n",
            "text\n\n-" + line.dropFirst() + "\n", "text\n\n" + line.dropLast() + "\n", "text\n\n \(line)\n",
            "text\n\n\(line) \n", "text\n\n\u{2014} a  AAAAAAA=\n", "text\n\n\u{2014} AAAAAAA=\n",
            "text\n\n\u{2014}  AAAAAAA=\n", "text\n\n\u{2014} a+b AAAAAAA=\n", "text\n\n\u{2014} a\u{a0}b AAAAAAA=\n",
            "text\n\n\u{2014} a AAAAAA==\n", "text\n\n\u{2014} a AAAAAAB=\n", "text\n\n\u{2014} a AAAAAAA\n",
            "\n\u{2014} a AAAAAAA=\n",
        ]
        for text in bad { #expect(isRefused { _ = try SignedNote(parsing: utf8(text)) }, "\(text)") }
        _ = try SignedNote(parsing: utf8("text\n\n\u{2014} a AAAAAAA=\n"))
        #expect(isRefused { _ = try SignedNote(parsing: utf8("te") + [0xFF] + utf8("xt\n\n\u{2014} a AAAAAAA=\n")) })
        // An overlong form and a surrogate are not UTF-8 either.
        for bytes: [UInt8] in [[0xC0, 0x8A], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]] {
            #expect(isRefused { _ = try SignedNote(parsing: bytes + utf8("\n\n\u{2014} a AAAAAAA=\n")) })
        }
    }

    @Test func lineCountIsBounded() throws {
        let line = "\u{2014} a AAAAAAA=\n"
        let full = utf8("text\n\n" + String(repeating: line, count: 64))
        #expect(try SignedNote(parsing: full).signatures.count == 64)
        #expect(try SignedNote(parsing: full).bytes == full)
        expectThrows(.limitExceeded) { _ = try SignedNote(parsing: full + utf8(line)) }
        let signature = try NoteSignature(parsing: "\u{2014} a AAAAAAA=")
        expectThrows(.limitExceeded) {
            _ = try SignedNote(text: utf8("a\n"), signatures: Array(repeating: signature, count: 65))
        }
        let long = utf8("text\n\n\u{2014} a " + String(repeating: "A", count: 8_192) + "\n")
        expectThrows(.invalidSignatureLine) { _ = try SignedNote(parsing: long) }
        expectThrows(.limitExceeded) { _ = try SignedNote(parsing: [UInt8](repeating: 0x61, count: 1 << 20) + full) }
        expectThrows(.invalidSignatureLine) {
            _ = try NoteSignature(name: "a", keyID: 1, signature: [UInt8](repeating: 1, count: 6_200))
        }
    }

    @Test func unknownLinesAreIgnoredAndKnownOnesMustHold() throws {
        let keys = try Vector.keys()
        let stranger = "\u{2014} log.example/test AAAAAAA="
        let note = utf8(Vector.text + "\n" + stranger + "\n" + Vector.logLine + "\n")
        let verified = try SignedNote(parsing: note).verify(keys)
        #expect(verified.signatures.map(\.line.line) == [Vector.logLine])
        expectThrows(.noTrustedSignature) {
            _ = try SignedNote(parsing: utf8(Vector.text + "\n" + stranger + "\n")).verify(keys)
        }
        expectThrows(.noTrustedSignature) { _ = try SignedNote(parsing: note).verify([]) }
        // A known key's broken line spoils a note with another known key's good one.
        let broken = try NoteSignature(
            name: "log.example/test",
            keyID: keys[0].keyID,
            signature: [UInt8](repeating: 1, count: 64)
        )
        for line in [Vector.witnessLine, Vector.logLine] {
            expectThrows(.invalidSignature) {
                _ = try SignedNote(parsing: utf8(Vector.text + "\n\(line)\n\(broken.line)\n")).verify(keys)
            }
        }
        // One key may have several lines; the newest counts.
        let witness = try CosignatureSigner(name: "witness.example/w1", seed: Vector.seed)
        let text = utf8(Vector.text)
        let lines = try [5, 9, 7].map { try witness.sign(text, at: $0) }
        let several = try SignedNote(text: text, signatures: lines).verify(keys)
        #expect(several.signatures.map(\.timestamp) == [5, 9, 7])
        #expect(several.signature(by: keys[1])?.timestamp == 9)
        #expect(several.signature(by: keys[0]) == nil)
    }

    @Test func aSignatureOfAnotherKindDoesNotPass() throws {
        // Both keys have the same public key; a line moved from one to the other has to fail.
        let keys = try Vector.keys()
        let cosignature = try NoteSignature(parsing: Vector.witnessLine)
        let moved = try NoteSignature(
            name: keys[0].name,
            keyID: keys[0].keyID,
            signature: Array(cosignature.signature[8...])
        )
        expectThrows(.invalidSignature) {
            _ = try SignedNote(text: utf8(Vector.text), signatures: [moved]).verify(keys)
        }
        let plain = try NoteSignature(parsing: Vector.logLine)
        expectThrows(.noTrustedSignature) {
            _ = try CosignatureSigner.verify(plain, key: keys[1], text: utf8(Vector.text))
        }
        expectThrows(.unsupportedKey) {
            _ = try CosignatureSigner.verify(plain, key: keys[0], text: utf8(Vector.text))
        }
    }

    @Test func namesAreComparedByBytes() throws {
        let composed = try NoteSigner(name: "caf\u{e9}", seed: Vector.seed)
        let decomposed = try NoteSigner(name: "cafe\u{301}", seed: Vector.seed)
        #expect(composed.name == decomposed.name, "Swift takes them for one")
        #expect(composed.verifierKey != decomposed.verifierKey)
        #expect(composed.verifierKey.keyID != decomposed.verifierKey.keyID)
        #expect(Set([composed.verifierKey, decomposed.verifierKey]).count == 2)
        let twin = try NoteSignature(name: decomposed.name, keyID: composed.verifierKey.keyID, signature: [1])
        #expect(!twin.isAttributed(to: composed.verifierKey))
        #expect(try twin != NoteSignature(name: composed.name, keyID: composed.verifierKey.keyID, signature: [1]))
        let note = try SignedNote(text: utf8("a\n"), signatures: [composed.sign("a\n")])
        expectThrows(.noTrustedSignature) { _ = try note.verify([decomposed.verifierKey]) }
    }

    @Test func keysAreStrict() throws {
        #expect(try VerifierKey(parsing: Vector.logKey).description == Vector.logKey)
        let parts = Vector.logKey.split(separator: "+", maxSplits: 2).map(String.init)
        let bad = [
            "", "+", "++", "name", "name+", "+\(parts[1])+\(parts[2])", "a b+\(parts[1])+\(parts[2])",
            "\(parts[0])+6FFDF1C0+\(parts[2])", "\(parts[0])+6ffdf1c1+\(parts[2])", "\(parts[0])+6ffdf1c+\(parts[2])",
            "\(parts[0])+\(parts[1])+\(parts[2])A", "\(parts[0])+\(parts[1])+\(parts[2].dropLast())",
            "\(parts[0])+\(parts[1])+", Vector.logKey + "\n", "x" + Vector.logKey, "\(Vector.logKey)+",
            "a\nb+\(parts[1])+\(parts[2])",
        ]
        for key in bad { expectThrows(.invalidKey) { _ = try VerifierKey(parsing: key) } }
        // A + in the base64 belongs to it.
        for seed in UInt8.min...40 {
            let key = try NoteSigner(name: "a", seed: [UInt8](repeating: seed, count: 32)).verifierKey
            #expect(try VerifierKey(parsing: key.description) == key)
        }
        expectThrows(.unsupportedKey) {
            _ = try VerifierKey(name: "a", type: KeyType(rawValue: 2), publicKey: [UInt8](repeating: 0, count: 32))
        }
        expectThrows(.invalidKey) { _ = try VerifierKey(name: "a", type: .ed25519, publicKey: [1]) }
        expectThrows(.invalidKey) { _ = try NoteSigner(name: "a", seed: [1]) }
        for name in ["", "a b", "a+b", "a\u{2003}b", "a\u{85}b", "a\u{3000}"] {
            expectThrows(.invalidKey) { _ = try NoteSigner(name: name, seed: Vector.seed) }
        }
        for bit in 0..<Vector.logKey.utf8.count * 8 {
            let text = String(decoding: utf8(Vector.logKey).flipping(bit: bit), as: UTF8.self)
            #expect(isRefused { _ = try VerifierKey(parsing: text) })
        }
    }

    @Test func postQuantumKeysAreRecognisedAndNotCounted() throws {
        let publicKey = [UInt8](repeating: 5, count: 1_312)
        let key = try VerifierKey(name: "pq.example", type: .mlDSA44, publicKey: publicKey)
        #expect(try VerifierKey(parsing: key.description) == key)
        let line = try NoteSignature(name: key.name, keyID: key.keyID, signature: [UInt8](repeating: 0, count: 2_428))
        let plain = try NoteSignature(parsing: Vector.logLine)
        let note = try SignedNote(text: utf8(Vector.text), signatures: [plain, line])
        expectThrows(.noTrustedSignature) { _ = try note.verify([key]) }
        #expect(try note.verify([key] + Vector.keys()).signatures.count == 1)
    }

    @Test func signersRefuseWhatNoNoteCanHold() throws {
        let signer = try NoteSigner(name: "a", seed: Vector.seed)
        let witness = try cosigner(1)
        for text in [[], utf8("a"), utf8("a\r\n"), utf8("\u{0}\n"), [0xFF, 0x0A]] {
            expectThrows(.invalidNote) { _ = try signer.sign(text) }
            expectThrows(.invalidNote) { _ = try witness.sign(text, at: 1) }
        }
        expectThrows(.invalidCosignature) { _ = try witness.sign(utf8("a\n"), at: 1 << 63) }
        _ = try witness.sign(utf8("a\n"), at: 1 << 63 - 1)
    }

    @Test func cosignaturesOfAnyText() throws {
        let text = utf8("entente/incarnation/v1\nlog.example/test\nAAAAAAAAAAAAAAAAAAAAAA==\n-\n")
        let witness = try cosigner(3)
        let line = try witness.sign(text, at: 12)
        #expect(try CosignatureSigner.verify(line, key: witness.verifierKey, text: text) == 12)
        expectThrows(.invalidSignature) {
            _ = try CosignatureSigner.verify(line, key: witness.verifierKey, text: text + utf8("\n"))
        }
        for bit in 0..<line.signature.count * 8 {
            let bytes = line.signature.flipping(bit: bit)
            let changed = try NoteSignature(name: line.name, keyID: line.keyID, signature: bytes)
            expectThrows(.invalidSignature) {
                _ = try CosignatureSigner.verify(changed, key: witness.verifierKey, text: text)
            }
        }
        for count in [1, 8, 71, 73] {
            let other = [UInt8](repeating: 0, count: count)
            let changed = try NoteSignature(name: line.name, keyID: line.keyID, signature: other)
            expectThrows(.invalidCosignature) { _ = try Cosignature(parsing: changed) }
        }
        let late = [0x80] + [UInt8](repeating: 0, count: 71)
        expectThrows(.invalidCosignature) {
            _ = try Cosignature(parsing: NoteSignature(name: "a", keyID: 1, signature: late))
        }
    }
}
