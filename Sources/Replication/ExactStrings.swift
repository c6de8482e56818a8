extension String {
    /// Whether two texts are the same bytes. (`==` also holds for texts that only look alike, such as NFC and NFD.)
    func isExactly(_ other: String) -> Bool {
        utf8.elementsEqual(other.utf8)
    }

    /// Whether this text's bytes come before the other's: the order of everything that is sorted by name here.
    func precedes(_ other: String) -> Bool {
        utf8.lexicographicallyPrecedes(other.utf8)
    }
}

extension [String] {
    /// Whether a text is among these, byte for byte.
    func containsExactly(_ text: String) -> Bool {
        contains { $0.isExactly(text) }
    }
}
