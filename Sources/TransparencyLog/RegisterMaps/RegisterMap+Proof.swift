extension RegisterMap {
    /// Proves what the map says of a key: its row, or that there is none.
    /// - Parameters:
    ///   - key: The key's bytes, in canonical form.
    ///   - load: Returns the blob of a page; called once at most.
    /// - Throws: What `load` throws, and ``TransparencyLogError/Code/invalidPage`` for a blob that is damaged.
    public func prove(key: [UInt8], load: (RegisterMapPageID) throws -> [UInt8]) throws -> RegisterMapProof {
        try prove(hashedKey: .sha256(key), load: load)
    }

    /// Proves what the map says of the key of which this is the hash.
    /// - Throws: As ``prove(key:load:)``.
    public func prove(
        hashedKey key: HashValue,
        load: (RegisterMapPageID) throws -> [UInt8]
    ) throws -> RegisterMapProof {
        var siblings: [HashValue] = []
        var node = nodes[0]
        while !node.isPage {
            let isRight = key.bit(siblings.count)
            siblings.append(nodes.hash(isRight ? node.left : node.right))
            let child = isRight ? node.right : node.left
            guard child != 0 else { return RegisterMapProof(terminal: .empty, fromRoot: siblings) }
            node = nodes[child]
        }
        let id = RegisterMapPageID(depth: siblings.count, containing: key)
        var rows: [RegisterMapRow] = []
        try RegisterMapPage.read(load(id), id: id, hash: node.hash, into: &rows)
        return rows.withUnsafeBufferPointer { Self.prove(key, $0, above: siblings) }
    }

    /// Goes on with a proof within a page.
    private static func prove(
        _ key: HashValue,
        _ rows: UnsafeBufferPointer<RegisterMapRow>,
        above: [HashValue]
    ) -> RegisterMapProof {
        var siblings = above
        var range = rows.indices
        // A leaf stands at depth 1 or below.
        while range.count > 1 || (range.count == 1 && siblings.isEmpty) {
            let depth = siblings.count
            let middle = rows.firstRight(in: range, bit: depth)
            let left = range.lowerBound..<middle
            let right = middle..<range.upperBound
            let isRight = key.bit(depth)
            siblings.append(rows.subtreeHash(isRight ? left : right, depth: depth + 1))
            range = isRight ? right : left
        }
        guard let position = range.first else { return RegisterMapProof(terminal: .empty, fromRoot: siblings) }
        let row = rows[position]
        if row.key == key { return RegisterMapProof(terminal: .thisLeaf, fromRoot: siblings) }
        return RegisterMapProof(terminal: .otherLeaf(key: row.key, value: row.value), fromRoot: siblings)
    }

    /// What the map holds for a hashed key: v, the hash of its row, or nil.
    /// - Throws: As ``prove(key:load:)``.
    public func value(
        ofHashedKey key: HashValue,
        load: (RegisterMapPageID) throws -> [UInt8]
    ) throws -> HashValue? {
        var node = nodes[0]
        var depth = 0
        while !node.isPage {
            let child = key.bit(depth) ? node.right : node.left
            guard child != 0 else { return nil }
            node = nodes[child]
            depth += 1
        }
        let id = RegisterMapPageID(depth: depth, containing: key)
        var rows: [RegisterMapRow] = []
        try RegisterMapPage.read(load(id), id: id, hash: node.hash, into: &rows)
        return rows.first { $0.key == key }?.value
    }
}
