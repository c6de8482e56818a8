/// A register map (section 7), of which only the part above the pages is in memory.
///
/// The rows are in pages that a store keeps; this holds their subtree hashes and the tree above them: about 80 bytes a
/// page. It is a value: a copy shares all that neither side changes, in pieces of 5 kB, so a store copies it before a
/// transaction and puts it back if that fails.
///
/// The root is a function of the rows alone. How rows are spread over pages depends on the order of updates too: every
/// page but the root page has a sibling, so that no inner node stands above a single row.
public struct RegisterMap: Sendable {
    /// How many rows a page holds before it is split. Larger pages are fewer, but cost more hashing per changed row.
    public static let pageCapacity = 8

    /// The number of rows.
    public internal(set) var count: UInt64
    let capacity: Int
    var nodes: NodeStore

    /// The map without rows.
    public init() {
        self.init(capacity: Self.pageCapacity)
    }

    /// As ``init()``, with another size of pages, for tests.
    init(capacity: Int) {
        count = 0
        self.capacity = capacity
        nodes = NodeStore(root: .empty)
    }

    /// Resumes a map from the IDs and hashes of all its pages, in any order (sorted is faster).
    ///
    /// Hashes one inner node for each page. Compare ``root`` with the last state leaf's afterwards.
    /// - Parameter count: The number of rows.
    /// - Throws: ``TransparencyLogError/Code/invalidPage`` if these cannot be the pages of such a map.
    public init(pages: some Sequence<(RegisterMapPageID, HashValue)>, count: UInt64) throws {
        try self.init(pages: pages, count: count, capacity: Self.pageCapacity)
    }

    init(pages: some Sequence<(RegisterMapPageID, HashValue)>, count: UInt64, capacity: Int) throws {
        self.init(capacity: capacity)
        var sorted = Array(pages)
        if zip(sorted, sorted.dropFirst()).contains(where: { $0.0 >= $1.0 }) { sorted.sort { $0.0 < $1.0 } }
        guard count >= UInt64(sorted.count), count == 0 || !sorted.isEmpty else {
            throw TransparencyLogError(.invalidPage, "\(count) rows cannot be in \(sorted.count) pages")
        }
        self.count = count
        guard !sorted.isEmpty else { return }
        try sorted.withUnsafeBufferPointer { try load($0, $0.indices, depth: 0, node: 0) }
    }

    /// The root of the map.
    public var root: HashValue {
        nodes[0].hash
    }

    /// All pages' IDs and hashes, in order.
    public var pages: [(id: RegisterMapPageID, hash: HashValue)] {
        var pages: [(id: RegisterMapPageID, hash: HashValue)] = []
        func visit(_ index: UInt32, _ id: RegisterMapPageID) {
            let node = nodes[index]
            if node.isPage { return pages.append((id, node.hash)) }
            if node.left != 0 { visit(node.left, id.child(isRight: false)) }
            if node.right != 0 { visit(node.right, id.child(isRight: true)) }
        }
        visit(0, .root)
        return pages
    }

    /// The pages that hold, or would hold, these hashed keys, in order, each once: what an update with them will load.
    ///
    /// For a store that wants to read them all before. A removal can need further ones.
    public func pages(of keys: some Sequence<HashValue>) -> [RegisterMapPageID] {
        var ids: [RegisterMapPageID] = []
        for key in keys {
            var node = nodes[0]
            var depth = 0
            while !node.isPage {
                let child = key.bit(depth) ? node.right : node.left
                guard child != 0 else { break }
                node = nodes[child]
                depth += 1
            }
            if node.isPage { ids.append(RegisterMapPageID(depth: depth, containing: key)) }
        }
        ids.sort()
        var unique: [RegisterMapPageID] = []
        for id in ids where unique.last != id { unique.append(id) }
        return unique
    }

    /// Builds the tree over some of the pages, which are sorted, into a node.
    private mutating func load(
        _ pages: UnsafeBufferPointer<(RegisterMapPageID, HashValue)>,
        _ range: Range<Int>,
        depth: Int,
        node index: UInt32
    ) throws {
        let first = pages[range.lowerBound]
        if range.count == 1, first.0.depth == depth {
            nodes[index] = .page(first.1)
            return
        }
        guard range.count > 1, pages[range].allDeeper(than: depth) else {
            throw TransparencyLogError(.invalidPage, "pages overlap or one stands alone", at: first.0.description)
        }
        let middle = range.partitionPoint { pages[$0].0.bit(depth) }
        var node = Node.empty
        if range.lowerBound < middle {
            node.left = nodes.add(.empty)
            try load(pages, range.lowerBound..<middle, depth: depth + 1, node: node.left)
        }
        if middle < range.upperBound {
            node.right = nodes.add(.empty)
            try load(pages, middle..<range.upperBound, depth: depth + 1, node: node.right)
        }
        node.hash = RegisterMapHash.parent(nodes.hash(node.left), nodes.hash(node.right))
        nodes[index] = node
    }
}

extension Slice<UnsafeBufferPointer<(RegisterMapPageID, HashValue)>> {
    /// Whether no page stands at this depth or above; in sorted order only the first one can.
    fileprivate func allDeeper(than depth: Int) -> Bool {
        first.map { $0.0.depth > depth } ?? true
    }
}

// MARK: - Nodes

extension RegisterMap {
    /// A node of the tree above the pages, or a page.
    struct Node: Sendable {
        var hash: HashValue
        /// The children's indices; 0, which is the root's, for an absent one.
        var left: UInt32
        var right: UInt32

        private static let pageMark = UInt32.max

        /// An inner node without children: the root of the empty map.
        static let empty = Node(hash: RegisterMapHash.emptyRoot, left: 0, right: 0)

        static func page(_ hash: HashValue) -> Node {
            Node(hash: hash, left: pageMark, right: pageMark)
        }

        var isPage: Bool {
            left == Self.pageMark
        }
    }

    /// Nodes by index, in chunks that copies of a map share until one of them changes a node in it.
    struct NodeStore: Sendable {
        private static let chunkBits: UInt32 = 7
        private var chunks: [[Node]]
        private var used: UInt32 = 1
        private var free: [UInt32] = []

        init(root: Node) {
            chunks = [Self.chunk()]
            chunks[0][0] = root
        }

        private static func chunk() -> [Node] {
            [Node](repeating: .empty, count: 1 << Int(chunkBits))
        }

        subscript(index: UInt32) -> Node {
            get { chunks[Int(index >> Self.chunkBits)][Int(index & (1 << Self.chunkBits - 1))] }
            set { chunks[Int(index >> Self.chunkBits)][Int(index & (1 << Self.chunkBits - 1))] = newValue }
        }

        /// The hash of a child, zero of an absent one.
        func hash(_ index: UInt32) -> HashValue {
            index == 0 ? .zero : self[index].hash
        }

        mutating func add(_ node: Node) -> UInt32 {
            if let index = free.popLast() {
                self[index] = node
                return index
            }
            if Int(used >> Self.chunkBits) == chunks.count { chunks.append(Self.chunk()) }
            let index = used
            used += 1
            self[index] = node
            return index
        }

        mutating func remove(_ index: UInt32) {
            free.append(index)
        }
    }
}
