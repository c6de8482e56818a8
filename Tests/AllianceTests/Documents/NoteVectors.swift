import TransparencyLog

@testable import Alliance

/// The note of formats.md, section 7, and changes of it.
private enum NoteSamples {
    static let seed = (0..<32).map { UInt8($0) }
    static let text = Array("log.example/test\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n".utf8)
    static let time: UInt64 = 1_700_000_000

    static func log() throws -> NoteSigner { try NoteSigner(name: "log.example/test", seed: seed) }
    static func witness() throws -> CosignatureSigner { try CosignatureSigner(name: "witness.example/w1", seed: seed) }

    static func note() throws -> SignedNote {
        try SignedNote(text: text, signatures: [log().sign(text), witness().sign(text, at: time)])
    }
}

extension VectorFile {
    static let notes = VectorFile(
        name: "notes",
        about: """
            Signed notes and verifier keys (notes-and-trees.md, sections 1 and 2). Both keys have the seed given, for these \
            vectors only. `keys` are the keys that the reader knows. valid: the note verifies; its text is `text`.
            """
    ) {
        let log = try NoteSamples.log()
        let witness = try NoteSamples.witness()
        let keys = [log.verifierKey.description, witness.verifierKey.description]
        return [
            "seed": hex(NoteSamples.seed),
            "vkeys": .array(try vkeys(keys)),
            "notes": .array(try notes(keys)),
        ]
    }

    private static func vkeys(_ keys: [String]) throws -> [JSONValue] {
        let good = try keys.map { vkey in
            let key = try VerifierKey(parsing: vkey)
            return accepted([
                "vkey": .string(vkey), "name": .string(key.name), "keyID": .integer(Int64(key.keyID)),
                "type": .integer(Int64(key.type.rawValue)), "publicKey": hex(key.publicKey),
            ])
        }
        let first = keys[0]
        let wrong: [(String, String)] = [
            (first.replacing("6ffdf1c0", with: "6ffdf1c1"), "the key ID is not this key's"),
            (first.replacing("6ffdf1c0", with: "6FFDF1C0"), "the key ID is upper case"),
            (first.replacing("log.example/test", with: "log example/test"), "the name has a space"),
            (first.replacing("log.example/test", with: ""), "the name is empty"),
            (String(first.dropLast()), "the base64 is cut off"),
            (first + "=", "the base64 is not canonical"),
            ("log.example/test+6ffdf1c0", "two parts only"),
        ]
        return try good
            + wrong.map { vkey, why in
                try VectorError.require((try? VerifierKey(parsing: vkey)) == nil, "a vkey: \(why)")
                return refused(["vkey": .string(vkey)], why)
            }
    }

    private static func notes(_ keys: [String]) throws -> [JSONValue] {
        let known = try keys.map { try VerifierKey(parsing: $0) }
        let note = try NoteSamples.note()
        let good = String(decoding: note.bytes, as: UTF8.self)
        func input(_ note: String, _ keys: [String]) -> JSONObject {
            ["note": .string(note), "keys": .array(keys.map { .string($0) })]
        }
        func verifies(_ text: String, _ keys: [VerifierKey]) -> Bool {
            (try? SignedNote(parsing: Array(text.utf8)).verify(keys)) != nil
        }
        var cases: [JSONValue] = []
        for some in [keys, [keys[0]], [keys[1]]] {
            try VectorError.require(verifies(good, some.map { try VerifierKey(parsing: $0) }), "the good note")
            var object = input(good, some)
            object["text"] = text(note.text)
            cases.append(accepted(object))
        }
        let stranger = try NoteSigner(name: "stranger.example", seed: [UInt8](repeating: 7, count: 32))
        let flipped = good.replacing("RgQyg=\n\n", with: "RgQyh=\n\n")
        let wrong: [(String, String)] = [
            (good.replacing("b/3xwFbB", with: "b/3xwFbC"), "a known key's signature does not verify"),
            (flipped, "the text was changed"),
            (good.replacing("\n\n\u{2014}", with: "\n\u{2014}"), "no empty line before the signatures"),
            (String(good.dropLast()), "the last line has no end"),
            (good.replacing("\u{2014} log", with: "- log"), "a signature line begins otherwise"),
            (good.replacing("8\n", with: "8\r\n"), "a control character"),
            (good + "\n", "an empty line among the signatures"),
            (String(decoding: note.text, as: UTF8.self) + "\n", "no signature line"),
            (good.replacing("\u{2014} log.example/test ", with: "\u{2014} log.example/test  "), "two spaces"),
        ]
        for (changed, why) in wrong {
            try VectorError.require(changed != good && !verifies(changed, known), "a note: \(why)")
            cases.append(refused(input(changed, keys), why))
        }
        let other = stranger.verifierKey.description
        try VectorError.require(!verifies(good, [stranger.verifierKey]), "a note without a known key")
        cases.append(refused(input(good, [other]), "no known key signed it"))
        return cases
    }

    static let checkpoints = VectorFile(
        name: "checkpoints",
        about: "Texts of checkpoints (notes-and-trees.md, section 3). valid: the text has exactly this meaning."
    ) {
        let root = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="
        let good = [
            "log.example/test\n8\n\(root)\n", "log.example/test\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
            "log.example/test\n9223372036854775807\n\(root)\n", "log.example/test\n8\n\(root)\nan extension line\n",
        ].map { text in
            guard let checkpoint = try? Checkpoint(parsing: Array(text.utf8)) else { return JSONValue.null }
            return accepted([
                "text": .string(text), "origin": .string(checkpoint.origin), "size": .string(String(checkpoint.size)),
                "root": .string(checkpoint.root.base64),
                "extensions": .array(checkpoint.extensions.map { .string($0) }),
            ])
        }
        let wrong: [(String, String)] = [
            ("log.example/test\n08\n\(root)\n", "a leading zero"),
            ("log.example/test\n+8\n\(root)\n", "a sign"),
            ("log.example/test\n9223372036854775808\n\(root)\n", "a size above 2^63 - 1"),
            ("log.example/test\n8\n\(root)", "the last line has no end"),
            ("log.example/test\n8\n\(root.dropLast(2))h=\n", "the base64 is not canonical"),
            ("log.example/test\n8\nAAAA\n", "the root has not 32 bytes"),
            ("\n8\n\(root)\n", "the origin is empty"),
            ("log.example/test\n8\n\(root)\n\n", "an empty extension line"),
            ("log.example/test\n8\n", "no root"),
        ]
        return [
            "checkpoints": .array(
                try good
                    + wrong.map { text, why in
                        try VectorError.require((try? Checkpoint(parsing: Array(text.utf8))) == nil, why)
                        return refused(["text": .string(text)], why)
                    })
        ]
    }

    static let cosignatures = VectorFile(
        name: "cosignatures",
        about: """
            Cosignature lines (notes-and-trees.md, section 4) over the text given. `message` is what is signed. The seed is \
            for these vectors only.
            """
    ) {
        let witness = try NoteSamples.witness()
        let line = try witness.sign(NoteSamples.text, at: NoteSamples.time)
        func input(_ line: NoteSignature) -> JSONObject { ["line": .string(line.line + "\n")] }
        var good = input(line)
        good["time"] = .integer(Int64(NoteSamples.time))
        good["message"] = text(Array("cosignature/v1\ntime \(NoteSamples.time)\n".utf8) + NoteSamples.text)
        var later = line.signature
        later[7] += 1
        let wrong: [([UInt8], String)] = [
            (later, "another time than the one signed"),
            (line.signature.dropLast(), "71 bytes"),
            ([0xFF] + line.signature.dropFirst(), "a time above 2^63 - 1"),
        ]
        return [
            "seed": hex(NoteSamples.seed), "vkey": .string(witness.verifierKey.description),
            "text": text(NoteSamples.text),
            "cosignatures": .array(
                try [accepted(good)]
                    + wrong.map { bytes, why in
                        let changed = try NoteSignature(name: line.name, keyID: line.keyID, signature: Array(bytes))
                        let verified = try? CosignatureSigner.verify(
                            changed, key: witness.verifierKey, text: NoteSamples.text)
                        try VectorError.require(verified == nil, why)
                        return refused(input(changed), why)
                    }),
        ]
    }

    static let encodings = VectorFile(
        name: "encodings",
        about: "Base64 (RFC 4648 section 4), base64url without padding (section 5) and decimals, read strictly."
    ) {
        func cases(
            _ good: [(String, [UInt8])], _ wrong: [(String, String)], _ decode: (String) -> [UInt8]?
        ) throws -> JSONValue {
            var result: [JSONValue] = []
            for (text, bytes) in good {
                try VectorError.require(decode(text) == bytes, text)
                result.append(accepted(["text": .string(text), "bytes": hex(bytes)]))
            }
            for (text, why) in wrong {
                try VectorError.require(decode(text) == nil, text)
                result.append(refused(["text": .string(text)], why))
            }
            return .array(result)
        }
        let decimals: [JSONValue] = try [
            ("0", true), ("8", true), ("9223372036854775807", true), ("18446744073709551615", true),
            ("18446744073709551616", false), ("08", false), ("+8", false), ("-0", false), ("", false), ("8 ", false),
            ("\u{663}", false),
        ].map { text, isValid in
            try VectorError.require((Decimal64.parse(text) != nil) == isValid, text)
            return isValid ? accepted(["text": .string(text)]) : refused(["text": .string(text)], "no plain decimal")
        }
        return [
            "base64": try cases(
                [("", []), ("AA==", [0]), ("AAE=", [0, 1]), ("+/8=", [0xFB, 0xFF])],
                [
                    ("AB==", "bits beyond the end"), ("AA", "no padding"), ("AA=", "half a padding"),
                    ("-_8=", "the other alphabet"), ("AA==\n", "a line end"), (" AA==", "a space"),
                ]
            ) { Base64.decode($0) },
            "base64url": try cases(
                [("", []), ("AA", [0]), ("AAE", [0, 1]), ("-_8", [0xFB, 0xFF])],
                [
                    ("AB", "bits beyond the end"), ("AA==", "padding"), ("A", "one digit"),
                    ("+/8", "the other alphabet"),
                ]
            ) { Base64.decodeURL($0) },
            "decimals": .array(decimals),
        ]
    }
}
