/// The tiles and bundles that a tree of one size has and a smaller one had not: what a store writes after an append,
/// and what a mirror copies. Made one at a time, so that the size of a tree costs nothing.
///
/// Level by level from the leaves, the bundles of entries before the tiles of level 0; within a level by index. A
/// partial tile comes last in its level.
public struct TileSequence: Sequence, Sendable {
    /// What to leave out.
    public struct Options: OptionSet, Sendable {
        /// The set's bits.
        public let rawValue: Int

        /// Takes the set's bits.
        public init(rawValue: Int) {
            self.rawValue = rawValue
        }

        /// Leave out bundles of entries.
        public static let withoutEntries = Options(rawValue: 1)
        /// Leave out tiles of hashes.
        public static let withoutHashes = Options(rawValue: 2)
        /// Leave out tiles and bundles that are not full.
        public static let withoutPartials = Options(rawValue: 4)
    }

    private let oldSize: UInt64
    private let size: UInt64
    private let options: Options

    /// The tiles of the tree of `size` leaves that are not tiles of that of `oldSize`; none unless that is smaller.
    public init(from oldSize: UInt64 = 0, to size: UInt64, options: Options = []) {
        self.oldSize = oldSize
        self.size = size
        self.options = options
    }

    /// Makes an iterator.
    public func makeIterator() -> Iterator {
        Iterator(oldSize: oldSize, size: size, options: options)
    }

    /// Makes the paths one by one.
    public struct Iterator: IteratorProtocol {
        private let oldSize: UInt64
        private let size: UInt64
        private let options: Options
        /// -1 for the bundles, then the level.
        private var level = -1
        private var index: UInt64
        private var isDone: Bool

        init(oldSize: UInt64, size: UInt64, options: Options) {
            self.oldSize = oldSize
            self.size = size
            self.options = options
            index = oldSize >> 8
            isDone = oldSize >= size
        }

        /// The next path.
        public mutating func next() -> TilePath? {
            while !isDone {
                let shift = level < 0 ? 0 : UInt64(level) * 8
                let count = size >> shift
                let isWanted = !options.contains(level < 0 ? .withoutEntries : .withoutHashes)
                if isWanted, let width = width(of: index, among: count) {
                    let path = TilePath(
                        content: level < 0 ? .entries : .hashes(level: level),
                        index: index,
                        uncheckedWidth: width
                    )
                    index += 1
                    return path
                }
                advanceLevel()
            }
            return nil
        }

        /// How wide a tile is of a level with so many hashes, or nil if there is none or it is not wanted.
        private func width(of index: UInt64, among count: UInt64) -> Int? {
            if index < count >> 8 { return TilePath.fullWidth }
            let partial = Int(count & 255)
            return index == count >> 8 && partial > 0 && !options.contains(.withoutPartials) ? partial : nil
        }

        private mutating func advanceLevel() {
            level += 1
            let shift = UInt64(level) * 8
            // Where the old tree had as many hashes, nothing is new here or above.
            guard shift < 64, size >> shift > oldSize >> shift else {
                isDone = true
                return
            }
            index = (oldSize >> shift) >> 8
        }
    }
}
