import Testing

@testable import TransparencyLog

/// The hashes of section 7, read aloud, over all rows at once.
struct ReferenceMap {
    var rows: [HashValue: HashValue] = [:]

    var root: HashValue {
        let all = Array(rows)
        return parent(all.filter { !bit($0.key, 0) }, all.filter { bit($0.key, 0) }, depth: 0)
    }

    private func bit(_ key: HashValue, _ position: Int) -> Bool {
        key.bytes[position / 8] >> UInt8(7 - position % 8) & 1 == 1
    }

    private typealias Rows = [(key: HashValue, value: HashValue)]

    private func parent(_ left: Rows, _ right: Rows, depth: Int) -> HashValue {
        HashValue.sha256([3] + subtree(left, depth: depth + 1).bytes + subtree(right, depth: depth + 1).bytes)
    }

    private func subtree(_ rows: Rows, depth: Int) -> HashValue {
        if rows.isEmpty { return .zero }
        if rows.count == 1 { return HashValue.sha256([2] + rows[0].key.bytes + rows[0].value.bytes) }
        return parent(rows.filter { !bit($0.key, depth) }, rows.filter { bit($0.key, depth) }, depth: depth)
    }
}

@Suite struct RegisterMapTests {
    private static func rows(_ count: Int) -> [(key: [UInt8], row: [UInt8])] {
        (0..<count).map { (utf8("key \($0)"), utf8("value \($0)")) }
    }

    private static let roots = [
        (0, "dc48a742ae32cfd66352372d6120ed14d6629fc166246b05ff8b03e23804701f"),
        (1, "17868abcbe9d4356a650379b087f8d13543932941d218790ea4a2d7fd7063fe5"),
        (2, "c64ab450c0cd21d1fe47df1cb697ec7bd5c7c8c9ee1ccd17d4002d16a6d9c24d"),
        (3, "269787c9d2966b222ccee07a760337cb1f3118cbe55a8e11bee3607a37d097c0"),
        (10, "0e5d12db416dde2f711f105057cf7b21bb78f9ad2b20c493735c02ec92b938d0"),
        (1_000, "59de1cf2e639201df1aee1dbc13fa40bf5f5a9f0b118f87226e5367ea87fa22b"),
    ]

    @Test func vectorsOfTheFormats() throws {
        for (count, root) in Self.roots {
            for capacity in [1, 2, RegisterMap.pageCapacity] {
                var map = InMemoryRegisterMap(capacity: capacity)
                try map.set(Self.rows(count))
                #expect(map.root.hex == root)
                #expect(map.count == UInt64(count))
            }
            // More rows, taken away again, leave no trace in the root.
            var map = InMemoryRegisterMap()
            try map.set(Self.rows(1_200))
            try map.update((count..<1_200).map { (HashValue.sha256("key \($0)"), nil) })
            #expect(map.root.hex == root)
            #expect(map.count == UInt64(count))
            if count == 0 { #expect(map.blobs.isEmpty) }
        }
        #expect(RegisterMap().root == RegisterMapHash.emptyRoot)
    }

    /// Keys that share up to 255 bits, so that chains, deep leaves and removals between them all occur.
    private static func crowdedKeys(_ generator: inout Seeded) -> [HashValue] {
        var keys = (0..<40).map { _ in HashValue.sha256("\(generator.next())") }
        for base in keys.prefix(6) {
            for bit in [0, 1, 2, 7, 8, 46, 47, 48, 49, 63, 64, 65, 127, 128, 191, 192, 254, 255] {
                keys.append(base.flipping(bit: bit))
            }
        }
        return keys
    }

    @Test(arguments: [1, 2, 3, 8, 16])
    func randomUpdatesMatchTheReference(capacity: Int) throws {
        var generator = Seeded(UInt64(capacity))
        let keys = Self.crowdedKeys(&generator)
        var map = InMemoryRegisterMap(capacity: capacity)
        var reference = ReferenceMap()
        for round in 0..<120 {
            // Every now and then nearly all goes.
            let removal = round % 10 == 9 ? 9 : round % 3 * 2
            var changes: [(key: HashValue, value: HashValue?)] = []
            for _ in 0..<Int.random(in: 1...(round % 10 == 9 ? 250 : 30), using: &generator) {
                let key = keys.randomElement(using: &generator) ?? .zero
                let isRemoval = Int.random(in: 0..<10, using: &generator) < removal
                changes.append((key, isRemoval ? nil : .sha256("\(generator.next() % 50)")))
            }
            let former = map.blobs
            let result = try map.update(changes)
            for change in changes { reference.rows[change.key] = change.value }
            #expect(map.root == reference.root)
            #expect(map.count == UInt64(reference.rows.count))
            try Self.check(map, result, former, capacity)
        }
    }

    /// What a store relies on.
    private static func check(
        _ map: InMemoryRegisterMap,
        _ result: RegisterMapChanges,
        _ former: [RegisterMapPageID: [UInt8]],
        _ capacity: Int
    ) throws {
        let pages = map.map.pages
        #expect(pages.map(\.id) == map.blobs.keys.sorted())
        #expect(result.written.map(\.id) == result.written.map(\.id).sorted())
        #expect(Set(result.removed).isDisjoint(with: result.written.map(\.id)))
        #expect(result.removed.allSatisfy { former[$0] != nil })
        #expect(Set(result.removed).count == result.removed.count)
        #expect(result.written.allSatisfy { former[$0.id] != $0.blob })
        var rows = 0
        for page in pages {
            rows += try RegisterMapPage.audit(map.blobs[page.id] ?? [], id: page.id, hash: page.hash)
        }
        #expect(UInt64(rows) == map.count)
        let loaded = try RegisterMap(
            pages: pages.shuffled().map { ($0.id, $0.hash) },
            count: map.count,
            capacity: capacity
        )
        #expect(loaded.root == map.root)
    }

    @Test func proofsOfPresenceAndAbsence() throws {
        var generator = Seeded(9)
        for (count, capacity) in [(0, 8), (1, 8), (2, 8), (3, 1), (10, 2), (60, 1), (300, 8)] {
            var map = InMemoryRegisterMap(capacity: capacity)
            try map.set(Self.rows(count))
            for index in 0..<min(count, 40) {
                let (key, row) = Self.rows(count)[index]
                let proof = try map.prove(key: key)
                #expect(try RegisterMapProof(parsing: proof.bytes) == proof)
                #expect(proof.verifyPresence(key: key, row: row, root: map.root))
                #expect(!proof.verifyAbsence(key: key, root: map.root))
                #expect(!proof.verifyPresence(key: key, row: row + [0], root: map.root))
                #expect(!proof.verifyPresence(key: key + [0], row: row, root: map.root))
            }
            for _ in 0..<40 {
                let key = utf8("absent \(generator.next())")
                let proof = try map.prove(key: key)
                #expect(try RegisterMapProof(parsing: proof.bytes) == proof)
                #expect(proof.verifyAbsence(key: key, root: map.root))
                #expect(!proof.verifyPresence(key: key, row: [], root: map.root))
                #expect(!proof.verifyAbsence(key: key, root: .zero))
            }
        }
    }

    /// No proof for one key passes as one for another, in either sense, unless it says the truth.
    @Test func presenceAndAbsenceNeverBothVerify() throws {
        var map = InMemoryRegisterMap(capacity: 2)
        let rows = Self.rows(24)
        try map.set(Array(rows[..<12]))
        let proofs = try rows.map { try map.prove(key: $0.key) }
        for proof in proofs {
            for (index, (key, row)) in rows.enumerated() {
                #expect(!proof.verifyPresence(key: key, row: row, root: map.root) || index < 12)
                #expect(!proof.verifyAbsence(key: key, root: map.root) || index >= 12)
                // The same siblings with another end.
                let ends: [RegisterMapProof.Terminal] = [
                    .empty, .thisLeaf, .otherLeaf(key: .sha256(key), value: .sha256(row)),
                    .otherLeaf(key: .sha256(rows[3].key), value: .sha256(rows[3].row)),
                ]
                for end in ends {
                    let forged = try RegisterMapProof(terminal: end, siblings: proof.siblings)
                    #expect(!forged.verifyPresence(key: key, row: row, root: map.root) || index < 12)
                    #expect(!forged.verifyAbsence(key: key, root: map.root) || index >= 12)
                }
            }
        }
    }

    @Test func everyBitCounts() throws {
        var map = InMemoryRegisterMap()
        try map.set(Self.rows(50))
        let presence = try map.prove(key: utf8("key 7")).bytes
        for bit in 0..<presence.count * 8 {
            let changed = presence.flipping(bit: bit)
            let holds = (try? RegisterMapProof(parsing: changed))?
                .verifyPresence(key: utf8("key 7"), row: utf8("value 7"), root: map.root)
            #expect(holds != true, "bit \(bit)")
        }
        for name in ["absent 1", "absent 2", "absent 3", "absent 4", "absent 5", "absent 6"] {
            let absence = try map.prove(key: utf8(name)).bytes
            for bit in 0..<absence.count * 8 {
                let changed = absence.flipping(bit: bit)
                let holds = (try? RegisterMapProof(parsing: changed))?.verifyAbsence(key: utf8(name), root: map.root)
                #expect(holds != true, "\(name), bit \(bit)")
            }
        }
    }

    @Test func proofsAreStrict() throws {
        #expect(try InMemoryRegisterMap().prove(key: utf8("x")).bytes == [0, 1, 0, 0])
        var map = InMemoryRegisterMap()
        try map.set(Self.rows(50))
        for name in ["key 7", "absent 1", "absent 2"] {
            let bytes = try map.prove(key: utf8(name)).bytes
            for count in 0..<bytes.count {
                #expect(isRefused { _ = try RegisterMapProof(parsing: Array(bytes[..<count])) })
            }
            #expect(isRefused { _ = try RegisterMapProof(parsing: bytes + [0]) })
        }
        let hash = [UInt8](repeating: 1, count: 32)
        let zero = [UInt8](repeating: 0, count: 32)
        _ = try RegisterMapProof(parsing: [0, 1, 1, 0x80] + hash)
        _ = try RegisterMapProof(parsing: [0, 2, 1, 0x80] + hash)
        let bad: [[UInt8]] = [
            [0, 0, 0], [1, 1, 0], [0, 1, 3, 0], [0, 1, 1, 0x40], [0, 1, 1, 0x80] + zero, [0, 2, 1, 0x40] + hash,
            [0, 1, 1, 0xC0] + hash + hash, [0, 1, 1, 0x80] + hash + hash, [255, 255, 0],
        ]
        for bytes in bad { #expect(isRefused { _ = try RegisterMapProof(parsing: bytes) }, "\(bytes)") }
        #expect(isRefused { _ = try RegisterMapProof(terminal: .empty, siblings: []) })
        let many = [HashValue](repeating: .sha256("x"), count: 257)
        #expect(isRefused { _ = try RegisterMapProof(terminal: .empty, siblings: many) })
        let deepest = try RegisterMapProof(terminal: .thisLeaf, siblings: Array(many.dropLast()))
        #expect(try RegisterMapProof(parsing: deepest.bytes) == deepest)
        #expect(deepest.bytes.count <= RegisterMapProof.maximumByteCount)
        // Another leaf has to be another, and on the same path.
        var lone = InMemoryRegisterMap()
        try lone.set(Self.rows(1))
        #expect(try lone.prove(key: utf8("absent")).depth == 1)
    }

    /// Whoever made a tree with a leaf on a wrong path cannot prove absence with it.
    @Test func anotherLeafHasToBeOnThePath() throws {
        let (asked, other) = (HashValue.sha256("b"), HashValue.sha256("other"))
        #expect(asked.bit(0) != other.bit(0))
        let leaf = RegisterMapHash.leaf(key: other, value: .zero)
        let root = RegisterMapHash.parent(of: leaf, sibling: .zero, isRight: asked.bit(0))
        let proof = try RegisterMapProof(terminal: .otherLeaf(key: other, value: .zero), siblings: [.zero])
        #expect(!proof.verifyAbsence(key: utf8("b"), root: root))
        let honest = RegisterMapHash.parent(of: leaf, sibling: .zero, isRight: other.bit(0))
        #expect(!proof.verifyAbsence(key: utf8("other"), root: honest))
        let empty = try RegisterMapProof(terminal: .empty, siblings: [leaf])
        #expect(empty.verifyAbsence(key: utf8("b"), root: honest))
    }

    @Test func deepestLeaves() throws {
        let key = HashValue.sha256("a")
        var map = InMemoryRegisterMap(capacity: 1)
        try map.update([(key, .sha256("1")), (key.flipping(bit: 255), .sha256("2"))])
        let load = { [blobs = map.blobs] (id: RegisterMapPageID) throws -> [UInt8] in blobs[id] ?? [] }
        let proof = try map.map.prove(hashedKey: key, load: load)
        #expect(proof.depth == 256)
        #expect(try RegisterMapProof(parsing: proof.bytes) == proof)
        let absent = try map.map.prove(hashedKey: key.flipping(bit: 254), load: load)
        #expect(absent.depth == 255 && absent.terminal == .empty)
        #expect(try map.map.value(ofHashedKey: key, load: load) == .sha256("1"))
        #expect(try map.map.value(ofHashedKey: key.flipping(bit: 3), load: load) == nil)
        // Keys that no page tells apart share one that is larger than others.
        #expect(map.blobs.count == 1)
    }

    @Test func aFailingLoadChangesNothing() throws {
        var generator = Seeded(11)
        var map = InMemoryRegisterMap(capacity: 2)
        try map.set(Self.rows(200))
        let before = map.map.pages.map(\.hash)
        let blobs = map.blobs
        for limit in 0..<40 {
            var raw = map.map
            var loads = 0
            let changes = (0..<60).map { _ in
                let number = Int.random(in: 0..<260, using: &generator)
                return (key: HashValue.sha256("key \(number)"), value: number % 3 == 0 ? nil : HashValue.sha256("x"))
            }
            expectThrows(.wrongRead) {
                _ = try raw.update(changes) { id in
                    guard loads < limit, let blob = blobs[id] else { throw TransparencyLogError(.wrongRead, "") }
                    loads += 1
                    return blob
                }
            }
            #expect(raw.root == map.root && raw.count == map.count)
            #expect(raw.pages.map(\.hash) == before)
        }
    }

    @Test func copiesAreIndependent() throws {
        var map = InMemoryRegisterMap(capacity: 4)
        try map.set(Self.rows(500))
        let copy = map
        try map.set([(utf8("key 3"), utf8("other")), (utf8("new"), utf8("row"))])
        #expect(copy.root != map.root)
        #expect(copy.count == 500 && map.count == 501)
        let loaded = try RegisterMap(pages: copy.map.pages.map { ($0.id, $0.hash) }, count: 500)
        #expect(loaded.root == copy.root)
        let proof = try copy.prove(key: utf8("key 3"))
        #expect(proof.verifyPresence(key: utf8("key 3"), row: utf8("value 3"), root: copy.root))
    }

    @Test func updatesThatChangeNothingWriteNothing() throws {
        var map = InMemoryRegisterMap(capacity: 4)
        try map.set(Self.rows(100))
        let root = map.root
        #expect(try map.set(Self.rows(100)).isEmpty)
        #expect(try map.update([(.sha256("nobody"), nil)]).isEmpty)
        #expect(try map.update([]).isEmpty)
        // Of two changes of one key the last counts.
        let twice = try map.set([(utf8("key 5"), utf8("x")), (utf8("key 5"), utf8("value 5"))])
        #expect(twice.isEmpty && map.root == root)
        var empty = InMemoryRegisterMap()
        #expect(try empty.update([(.sha256("nobody"), nil)]).isEmpty)
        #expect(empty.root == RegisterMapHash.emptyRoot)
    }

    @Test func damagedPagesAreNoticed() throws {
        var map = InMemoryRegisterMap()
        try map.set(Self.rows(5))
        let blob = try #require(map.blobs[.root])
        #expect(blob.count == 5 * 64 + 8 && map.blobs.count == 1)
        func isRefusedBlob(_ bytes: [UInt8]) -> Bool {
            var copy = map.map
            let updateFails = isRefused { _ = try copy.update([(.sha256("a"), .zero)]) { _ in bytes } }
            return updateFails && isRefused { _ = try map.map.prove(key: utf8("key 1")) { _ in bytes } }
        }
        #expect(!isRefusedBlob(blob))
        for bit in 0..<blob.count * 8 { #expect(isRefusedBlob(blob.flipping(bit: bit))) }
        for count in 0..<blob.count { #expect(isRefusedBlob(Array(blob[..<count]))) }
        // The page as it was before an update.
        try map.set([(utf8("key 1"), utf8("new"))])
        #expect(isRefusedBlob(blob))
    }

    @Test func pageListsAreChecked() throws {
        var map = InMemoryRegisterMap(capacity: 2)
        try map.set(Self.rows(40))
        let pages = map.map.pages.map { ($0.id, $0.hash) }
        expectThrows(.invalidPage) { _ = try RegisterMap(pages: [], count: 1) }
        expectThrows(.invalidPage) { _ = try RegisterMap(pages: pages, count: 3) }
        expectThrows(.invalidPage) { _ = try RegisterMap(pages: pages + [(.root, .zero)], count: 40) }
        expectThrows(.invalidPage) { _ = try RegisterMap(pages: pages + [pages[4]], count: 400) }
        expectThrows(.invalidPage) { _ = try RegisterMap(pages: [pages[0]], count: 40) }
        // One page missing: either a sibling then stands alone, or the root is another.
        for position in pages.indices {
            var fewer = pages
            fewer.remove(at: position)
            let root = try? RegisterMap(pages: fewer, count: 40).root
            #expect(root != map.root)
        }
    }

    @Test func pageIDs() {
        let key = HashValue.sha256("x")
        for depth in 0...48 {
            let id = RegisterMapPageID(depth: depth, containing: key)
            #expect(RegisterMapPageID(rawValue: id.rawValue) == id)
            #expect(RegisterMapPageID(id.number) == id)
            #expect(id.depth == depth && id.contains(key))
            if depth > 0 {
                let up = RegisterMapPageID(depth: depth - 1, containing: key)
                #expect(up.child(isRight: key.bit(depth - 1)) == id)
                #expect(up < id)
                #expect(!id.contains(key.flipping(bit: depth - 1)))
            }
        }
        for raw: UInt64 in [49, 255, 1 << 56, .max, 1 << 8, 1 << 9 | 46, 1 << 55] {
            #expect(RegisterMapPageID(rawValue: raw) == nil)
        }
        #expect(RegisterMapPageID(rawValue: 1 << 55 | 1)?.description == "1")
        #expect(RegisterMapPageID(-1) == nil)
    }

    @Test func pagesOfKeys() throws {
        var map = InMemoryRegisterMap(capacity: 2)
        try map.set(Self.rows(300))
        let keys = (0..<50).map { HashValue.sha256("key \($0)") }
        var loaded: Set<RegisterMapPageID> = []
        var copy = map.map
        _ = try copy.update(keys.map { ($0, .zero) }) { id in
            loaded.insert(id)
            return map.blobs[id] ?? []
        }
        #expect(map.map.pages(of: keys) == loaded.sorted())
    }
}
