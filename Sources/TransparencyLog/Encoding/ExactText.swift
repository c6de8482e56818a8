/// Text that is equal only when its UTF-8 bytes are.
///
/// `String`'s own equality takes the two ways of writing "é" for one. Names and origins decide whose signature
/// counts, so they are held in this.
struct ExactText: Hashable, Sendable {
    let string: String

    init(_ string: String) {
        self.string = string
    }

    static func == (left: ExactText, right: ExactText) -> Bool {
        left.string.utf8.elementsEqual(right.string.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var text = string
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        // No byte of UTF-8, so that neighbouring texts cannot be hashed alike by moving their border.
        hasher.combine(0xFF as UInt8)
    }
}

/// What may stand in the lines of notes, keys and checkpoints.
enum LineText {
    /// The text of UTF-8 bytes, or nil if they are not well formed.
    static func string(_ bytes: some Collection<UInt8>) -> String? {
        String(validating: bytes, as: UTF8.self)
    }

    /// Whether there is no byte below 0x20 but, where allowed, the newline.
    static func hasNoControls(_ bytes: some Sequence<UInt8>, newlineAllowed: Bool) -> Bool {
        for byte in bytes where byte < 0x20 {
            guard newlineAllowed, byte == UInt8(ascii: "\n") else { return false }
        }
        return true
    }

    /// Whether the bytes can be a note's text: UTF-8, no control but newlines, the last byte a newline.
    static func isNoteText(_ bytes: some BidirectionalCollection<UInt8>) -> Bool {
        bytes.last == UInt8(ascii: "\n") && hasNoControls(bytes, newlineAllowed: true) && string(bytes) != nil
    }

    /// Whether a key may be called so: not empty, no Unicode space, no `+`, nothing that a note cannot hold.
    static func isKeyName(_ name: String) -> Bool {
        !name.isEmpty
            && name.unicodeScalars.allSatisfy { scalar in
                // Of ASCII from U+0020 on, the space alone is one; asking Unicode's tables takes far longer.
                scalar.value < 0x80
                    ? scalar.value > 0x20 && scalar != "+" : !scalar.properties.isWhitespace
            }
    }
}
