/// A register map with its pages in memory, for tests, simulators and small tools.
public struct InMemoryRegisterMap: Sendable {
    /// The part above the pages.
    public private(set) var map: RegisterMap
    /// The pages' blobs.
    public private(set) var blobs: [RegisterMapPageID: [UInt8]] = [:]

    /// The map without rows.
    public init() {
        map = RegisterMap()
    }

    init(capacity: Int) {
        map = RegisterMap(capacity: capacity)
    }

    /// The root of the map.
    public var root: HashValue {
        map.root
    }

    /// The number of rows.
    public var count: UInt64 {
        map.count
    }

    /// Inserts, replaces and, with nil, removes rows; as ``RegisterMap/update(_:load:)``.
    /// - Parameter changes: k = SHA-256(key) and v = SHA-256(row).
    /// - Throws: ``TransparencyLogError/Code/invalidPage``, which does not happen.
    @discardableResult
    public mutating func update(_ changes: [(key: HashValue, value: HashValue?)]) throws -> RegisterMapChanges {
        let pages = blobs
        let result = try map.update(changes) { try Self.load($0, pages) }
        for id in result.removed { blobs[id] = nil }
        for page in result.written { blobs[page.id] = page.blob }
        return result
    }

    /// Sets rows by their bytes.
    /// - Throws: As ``update(_:)``.
    @discardableResult
    public mutating func set(_ rows: [(key: [UInt8], row: [UInt8])]) throws -> RegisterMapChanges {
        try update(rows.map { (HashValue.sha256($0.key), HashValue.sha256($0.row)) })
    }

    /// Proves what the map says of a key.
    /// - Throws: ``TransparencyLogError/Code/invalidPage``, which does not happen.
    public func prove(key: [UInt8]) throws -> RegisterMapProof {
        try map.prove(key: key) { try Self.load($0, blobs) }
    }

    private static func load(_ id: RegisterMapPageID, _ blobs: [RegisterMapPageID: [UInt8]]) throws -> [UInt8] {
        guard let blob = blobs[id] else {
            throw TransparencyLogError(.invalidPage, "no such page", at: id.description)
        }
        return blob
    }
}
