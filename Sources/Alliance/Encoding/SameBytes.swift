extension String {
    /// Whether two texts are the same UTF-8 bytes. (`==` also equates canonically equivalent texts; what is signed or
    /// compared across programs must not.)
    func hasSameBytes(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let fast: Bool?? = utf8.withContiguousStorageIfAvailable { one in
            other.utf8.withContiguousStorageIfAvailable { two in one.elementsEqual(two) }
        }
        return (fast ?? nil) ?? utf8.elementsEqual(other.utf8)
    }
}
