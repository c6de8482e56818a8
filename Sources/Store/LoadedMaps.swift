import Synchronization
import TransparencyLog

/// Maps that readers loaded, so that a proof does not read a map's page hashes each time: a map of a million rows has
/// some 125,000 pages. Known by their roots, they can be older than the database, but never wrong.
final class LoadedMaps: Sendable {
    /// Rows of all maps that are kept, at about 10 bytes a row; a map that has more is kept alone.
    static let rowLimit: UInt64 = 4_000_000
    static let mapLimit = 1_024

    private struct Loaded {
        let id: Int64
        let map: RegisterMap
    }

    /// The one used last at the end.
    private let maps = Mutex<[Loaded]>([])

    /// A map with exactly this root; nil where it was not loaded, or has changed since.
    func map(_ id: Int64, root: HashValue) -> RegisterMap? {
        maps.withLock { maps in
            guard let index = maps.firstIndex(where: { $0.id == id }), maps[index].map.root == root else { return nil }
            let found = maps.remove(at: index)
            maps.append(found)
            return found.map
        }
    }

    func keep(_ map: RegisterMap, _ id: Int64) {
        maps.withLock { maps in
            maps.removeAll { $0.id == id }
            maps.append(Loaded(id: id, map: map))
            var rows = maps.reduce(0) { $0 + $1.map.count }
            while maps.count > 1, rows > Self.rowLimit || maps.count > Self.mapLimit {
                rows -= maps.removeFirst().map.count
            }
        }
    }
}
