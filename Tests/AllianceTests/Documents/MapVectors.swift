import TransparencyLog

@testable import Alliance

private func sampleMap(_ count: Int) throws -> InMemoryRegisterMap {
    var map = InMemoryRegisterMap()
    try map.set((0..<count).map { (Array("key \($0)".utf8), Array("value \($0)".utf8)) })
    return map
}

extension VectorFile {
    static let registerMaps = VectorFile(
        name: "register-maps",
        about: """
            Roots of register maps (state-and-maps.md, section 2) with the keys `key i` and the rows `value i`, i from 0. \
            Roots are hexadecimal.
            """
    ) {
        let known: [(Int, String)] = [
            (0, "dc48a742ae32cfd66352372d6120ed14d6629fc166246b05ff8b03e23804701f"),
            (1, "17868abcbe9d4356a650379b087f8d13543932941d218790ea4a2d7fd7063fe5"),
            (2, "c64ab450c0cd21d1fe47df1cb697ec7bd5c7c8c9ee1ccd17d4002d16a6d9c24d"),
            (3, "269787c9d2966b222ccee07a760337cb1f3118cbe55a8e11bee3607a37d097c0"),
            (10, "0e5d12db416dde2f711f105057cf7b21bb78f9ad2b20c493735c02ec92b938d0"),
            (1_000, "59de1cf2e639201df1aee1dbc13fa40bf5f5a9f0b118f87226e5367ea87fa22b"),
        ]
        return [
            "maps": .array(
                try known.map { count, root in
                    try VectorError.require(try sampleMap(count).root.hex == root, "the map of \(count)")
                    return ["rows": .integer(Int64(count)), "root": .string(root)]
                })
        ]
    }

    static let mapProofs = VectorFile(
        name: "map-proofs",
        about: """
            Proofs of presence and absence (state-and-maps.md, section 3) in the maps of register-maps.json. `row` is the \
            row that is proven; without it, absence is. Proofs are hexadecimal.
            """
    ) {
        var cases: [JSONValue] = []
        let questions: [(Int, String, String?)] = [
            (0, "key 0", nil), (1, "key 0", "value 0"), (1, "key 1", nil), (2, "key 1", "value 1"), (2, "key 2", nil),
            (3, "key 3", nil), (10, "key 7", "value 7"), (10, "absent", nil), (10, "key 10", nil),
            (1_000, "key 999", "value 999"), (1_000, "key 1000", nil),
        ]
        for (count, key, row) in questions {
            let map = try sampleMap(count)
            let proof = try map.prove(key: Array(key.utf8))
            try VectorError.require(verifies(proof.bytes, key, row, map.root), "\(key) in \(count)")
            cases.append(accepted(input(count, key, row, proof.bytes)))
        }
        return ["proofs": .array(try cases + wrongProofs())]
    }

    private static func input(_ count: Int, _ key: String, _ row: String?, _ proof: [UInt8]) -> JSONObject {
        var object: JSONObject = ["rows": .integer(Int64(count)), "key": .string(key)]
        object["row"] = row.map { .string($0) }
        object["proof"] = hex(proof)
        return object
    }

    private static func verifies(_ bytes: [UInt8], _ key: String, _ row: String?, _ root: HashValue) -> Bool {
        guard let proof = try? RegisterMapProof(parsing: bytes) else { return false }
        return row.map { proof.verifyPresence(key: Array(key.utf8), row: Array($0.utf8), root: root) }
            ?? proof.verifyAbsence(key: Array(key.utf8), root: root)
    }

    private static func wrongProofs() throws -> [JSONValue] {
        let map = try sampleMap(10)
        let present = try map.prove(key: Array("key 7".utf8)).bytes
        let absent = try map.prove(key: Array("absent".utf8)).bytes
        var flipped = present
        flipped[flipped.count - 1] ^= 1
        var kind = present
        kind[2] = 3
        let wrong: [(String, String?, [UInt8], String)] = [
            ("key 7", "value 8", present, "another row"), ("key 8", "value 7", present, "another key"),
            ("key 7", nil, present, "a proof of presence shows no absence"),
            ("absent", "value 7", absent, "a proof of absence shows no presence"),
            ("key 7", "value 7", flipped, "a changed hash"), ("key 7", "value 7", kind, "an unknown terminal"),
            ("key 7", "value 7", present.dropLast(), "cut off"), ("key 7", "value 7", present + [0], "a byte too many"),
            ("key 0", nil, [0, 0, 0], "depth 0"), ("key 0", nil, [1, 1, 0], "depth 257"),
        ]
        return try wrong.map { key, row, proof, why in
            try VectorError.require(!verifies(Array(proof), key, row, map.root), why)
            return refused(input(10, key, row, Array(proof)), why)
        }
    }

    static let stateLeaves = VectorFile(
        name: "state-leaves",
        about: "State leaves (state-and-maps.md, section 1). valid: the text has exactly this meaning."
    ) {
        let digest = HashValue.sha256("charter").base64
        let root = RegisterMapHash.emptyRoot.base64
        let head = "entente/state/v1\n17\n1 \(digest)\n"
        let good = [head, head + "@rosters 1 \(root)\nvasp-licences 2 \(root)\nvasp-licences/domains 1 \(root)\n"]
        let wrong: [(String, String)] = [
            (String(head.dropLast()), "the last line has no end"), (head + "\n", "an empty line"),
            (head.replacing("\n17\n", with: "\n017\n"), "a leading zero"),
            (head + "b 1 \(root)\na 1 \(root)\n", "lines that are not sorted"),
            (head + "a 1 \(root)\na 1 \(root)\n", "a map that stands twice"),
            (head + "@others 1 \(root)\n", "a reserved name that is not known"),
            (head + "Licences 1 \(root)\n", "a name that no map can have"),
            (head + "a  1 \(root)\n", "two spaces"), (head.replacing("\n1 ", with: "\n0 "), "version 0"),
            (head.replacing("state/v1", with: "state/v2"), "another version: stored, but not known"),
        ]
        var cases: [JSONValue] = []
        for leaf in good {
            let parsed = try StateLeaf(parsing: Array(leaf.utf8))
            cases.append(
                accepted([
                    "text": .string(leaf), "entries": .integer(Int64(parsed.entryCount)),
                    "charterVersion": .integer(Int64(parsed.charterVersion)),
                    "charterDigest": .string(parsed.charterDigest.base64),
                    "maps": .array(
                        parsed.lines.map {
                            [
                                "name": .string($0.name), "rows": .integer(Int64($0.count)),
                                "root": .string($0.root.base64),
                            ]
                        }),
                ]))
        }
        for (leaf, why) in wrong {
            try VectorError.require((try? StateLeaf(parsing: Array(leaf.utf8))) == nil, why)
            cases.append(refused(["text": .string(leaf)], why))
        }
        let row = Row(inForce: [
            Row.Item(index: 3, leaf: HashValue.sha256("a")), Row.Item(index: 258, leaf: HashValue.sha256("b")),
        ])
        return [
            "leaves": .array(cases),
            "row": [
                "items": .array(
                    row.items.map { ["index": .integer(Int64($0.index)), "leaf": .string($0.leaf.hex)] }),
                "bytes": hex(row.bytes),
            ],
        ]
    }
}
