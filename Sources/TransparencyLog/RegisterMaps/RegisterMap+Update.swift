extension RegisterMap {
    /// Inserts, replaces and removes rows.
    ///
    /// Of several changes of one key the last counts. Pages are loaded one at a time, in the order of their IDs; a page
    /// that a load returns has to be the one last written under its ID. Removing a row that is not there does nothing.
    /// - Parameters:
    ///   - changes: k = SHA-256(key), and v = SHA-256(row), or nil to remove the row.
    ///   - former: For each change, what its row was before as the caller has it, or nil for no row. A map that has
    ///     something else throws ``TransparencyLogError/Code/otherRow``. Not compared where it is left out.
    ///   - load: Returns the blob of a page.
    /// - Returns: What has to be stored for the map to be as it now is.
    /// - Throws: What `load` throws, and ``TransparencyLogError/Code/invalidPage`` for a blob that is damaged. The map
    ///   is then as it was.
    public mutating func update(
        _ changes: [(key: HashValue, value: HashValue?)],
        former: [HashValue?]? = nil,
        load: (RegisterMapPageID) throws -> [UInt8]
    ) throws -> RegisterMapChanges {
        guard !changes.isEmpty else { return RegisterMapChanges() }
        var next = self
        var batch = Batch(changes, former)
        _ = try next.apply(batch.changes.indices, depth: 0, node: 0, &batch, load)
        next.count = UInt64(bitPattern: Int64(bitPattern: next.count) &+ batch.addedRows)
        self = next
        return batch.result
    }

    /// An update on its way.
    private struct Batch {
        /// Sorted by key, one of each.
        var changes: [(key: HashValue, value: HashValue?)]
        /// For each change what its row is to be before; nil where that is not compared.
        private var former: [HashValue?]?
        var result = RegisterMapChanges()
        /// Whether the page last written has been in the store before this update.
        var lastWasStored = false
        var addedRows: Int64 = 0
        var rows: [RegisterMapRow] = []
        var merged: [RegisterMapRow] = []

        init(_ changes: [(key: HashValue, value: HashValue?)], _ former: [HashValue?]?) {
            var order = changes.indices.map { (key: changes[$0].key, position: $0) }
            order.sort { ($0.key, $0.position) < ($1.key, $1.position) }
            self.changes = []
            self.changes.reserveCapacity(changes.count)
            self.former = former.map { _ in [] }
            self.former?.reserveCapacity(changes.count)
            for (rank, item) in order.enumerated() {
                let isLast = rank + 1 == order.count || order[rank + 1].key != item.key
                guard isLast else { continue }
                self.changes.append(changes[item.position])
                if let former { self.former?.append(former[item.position]) }
            }
        }

        /// Merges `rows` with changes into `merged`.
        /// - Returns: Whether that is something else than `rows`.
        mutating func merge(_ range: Range<Int>) throws -> Bool {
            merged.removeAll(keepingCapacity: true)
            var isChanged = false
            var position = 0
            for number in range {
                let change = changes[number]
                while position < rows.count, rows[position].key < change.key {
                    merged.append(rows[position])
                    position += 1
                }
                var former: HashValue?
                if position < rows.count, rows[position].key == change.key {
                    former = rows[position].value
                    position += 1
                }
                if let expected = self.former, expected[number] != former {
                    throw TransparencyLogError(.otherRow, "a map has another row than its store", at: change.key.hex)
                }
                if former != change.value { isChanged = true }
                if let value = change.value { merged.append(RegisterMapRow(key: change.key, value: value)) }
            }
            merged.append(contentsOf: rows[position...])
            if isChanged { addedRows += Int64(merged.count - rows.count) }
            return isChanged
        }

        mutating func write(_ page: RegisterMapPage, wasStored: Bool) {
            result.written.append(page)
            lastWasStored = wasStored
        }
    }

    private typealias Load = (RegisterMapPageID) throws -> [UInt8]

    /// Applies changes, which agree in the first `depth` bits, to a node.
    /// - Returns: The node's index, or 0 if nothing is left of it (and for the root, always).
    private mutating func apply(
        _ range: Range<Int>,
        depth: Int,
        node index: UInt32,
        _ batch: inout Batch,
        _ load: Load
    ) throws -> UInt32 {
        var node = nodes[index]
        if node.isPage { return try applyToPage(range, depth: depth, node: index, &batch, load) }
        if node.left == 0, node.right == 0 { return try insert(range, depth: depth, node: index, &batch) }
        let middle = range.partitionPoint { batch.changes[$0].key.bit(depth) }
        let left = range.lowerBound..<middle
        let right = middle..<range.upperBound
        if !left.isEmpty { node.left = try applyToChild(node.left, left, depth: depth + 1, &batch, load) }
        if !right.isEmpty { node.right = try applyToChild(node.right, right, depth: depth + 1, &batch, load) }
        if node.left == 0, node.right == 0 { return vacate(index) }
        if node.left == 0 || node.right == 0, nodes[max(node.left, node.right)].isPage {
            let id = RegisterMapPageID(depth: depth, containing: batch.changes[range.lowerBound].key)
            try pullUp(isRight: node.left == 0, from: max(node.left, node.right), to: index, id, &batch, load)
            return index
        }
        node.hash = RegisterMapHash.parent(nodes.hash(node.left), nodes.hash(node.right))
        nodes[index] = node
        return index
    }

    private mutating func applyToChild(
        _ child: UInt32,
        _ range: Range<Int>,
        depth: Int,
        _ batch: inout Batch,
        _ load: Load
    ) throws -> UInt32 {
        if child != 0 { return try apply(range, depth: depth, node: child, &batch, load) }
        return try insert(range, depth: depth, node: nodes.add(.empty), &batch)
    }

    /// Applies changes to a node where nothing is yet: the root of the empty map, or one just added.
    private mutating func insert(
        _ range: Range<Int>, depth: Int, node index: UInt32, _ batch: inout Batch
    ) throws -> UInt32 {
        batch.rows.removeAll(keepingCapacity: true)
        guard try batch.merge(range) else { return vacate(index) }
        return build(batch.merged.indices, depth: depth, node: index, &batch)
    }

    private mutating func applyToPage(
        _ range: Range<Int>,
        depth: Int,
        node index: UInt32,
        _ batch: inout Batch,
        _ load: Load
    ) throws -> UInt32 {
        let id = RegisterMapPageID(depth: depth, containing: batch.changes[range.lowerBound].key)
        try RegisterMapPage.read(load(id), id: id, hash: nodes[index].hash, into: &batch.rows)
        guard try batch.merge(range) else { return index }
        if batch.merged.isEmpty {
            batch.result.removed.append(id)
            return vacate(index)
        }
        if isOnePage(batch.merged.indices, batch) {
            writePage(batch.merged.indices, id, node: index, wasStored: true, &batch)
            return index
        }
        batch.result.removed.append(id)
        return build(batch.merged.indices, depth: depth, node: index, &batch)
    }

    /// Leaves nothing of a node: the root becomes that of the empty map, any other is given up.
    private mutating func vacate(_ index: UInt32) -> UInt32 {
        if index == 0 { nodes[0] = .empty } else { nodes.remove(index) }
        return 0
    }

    /// Makes a page that has lost its sibling the page of its parent.
    private mutating func pullUp(
        isRight: Bool,
        from child: UInt32,
        to index: UInt32,
        _ id: RegisterMapPageID,
        _ batch: inout Batch,
        _ load: Load
    ) throws {
        let childID = id.child(isRight: isRight)
        var blob: [UInt8]?
        var wasStored = true
        // If it was written in this update, then last: on its other side nothing is left that could have been.
        if let last = batch.result.written.last, last.id == childID {
            blob = last.blob
            wasStored = batch.lastWasStored
            batch.result.written.removeLast()
        }
        if wasStored { batch.result.removed.append(childID) }
        try RegisterMapPage.read(blob ?? load(childID), id: childID, hash: nodes[child].hash, into: &batch.merged)
        nodes.remove(child)
        writePage(batch.merged.indices, id, node: index, wasStored: false, &batch)
    }

    /// Makes pages of merged rows, and the tree above them, at a node.
    private mutating func build(_ range: Range<Int>, depth: Int, node index: UInt32, _ batch: inout Batch) -> UInt32 {
        if isOnePage(range, batch) {
            let id = RegisterMapPageID(depth: depth, containing: batch.merged[range.lowerBound].key)
            writePage(range, id, node: index, wasStored: false, &batch)
            return index
        }
        let middle = range.partitionPoint { batch.merged[$0].key.bit(depth) }
        let left = range.lowerBound..<middle
        let right = middle..<range.upperBound
        var node = Node.empty
        if !left.isEmpty { node.left = build(left, depth: depth + 1, node: nodes.add(.empty), &batch) }
        if !right.isEmpty { node.right = build(right, depth: depth + 1, node: nodes.add(.empty), &batch) }
        node.hash = RegisterMapHash.parent(nodes.hash(node.left), nodes.hash(node.right))
        nodes[index] = node
        return index
    }

    /// Whether merged rows stay together: they fit, or no page could tell them apart.
    private func isOnePage(_ range: Range<Int>, _ batch: Batch) -> Bool {
        guard range.count > capacity else { return true }
        let first = batch.merged[range.lowerBound].key
        let last = batch.merged[range.upperBound - 1].key
        return first.commonPrefixLength(with: last) >= RegisterMapPageID.maximumDepth
    }

    private mutating func writePage(
        _ range: Range<Int>,
        _ id: RegisterMapPageID,
        node index: UInt32,
        wasStored: Bool,
        _ batch: inout Batch
    ) {
        let page = batch.merged.withUnsafeBufferPointer { rows in
            RegisterMapPage(id: id, hash: rows.subtreeHash(range, depth: id.depth), rows: rows[range])
        }
        nodes[index] = .page(page.hash)
        batch.write(page, wasStored: wasStored)
    }
}
