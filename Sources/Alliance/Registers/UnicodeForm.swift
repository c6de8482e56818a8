// The standard library's own normalisation. Foundation's `precomposedStringWithCanonicalMapping` must not be used
// here: on Linux (Swift 6.3.1) it drops the upper bits of supplementary scalars, so that U+10041 U+0301 becomes
// U+00C1. The tests hold this file to known pairs.
@_spi(_Unicode) import Swift

/// Unicode Normalization Form C (UAX #15), compared by bytes.
///
/// `String ==` folds canonically equivalent strings together, so it can never tell whether a text is normalised.
public enum UnicodeForm {
    /// The text in Normalization Form C.
    public static func nfc(_ text: String) -> String {
        if isPlain(text) { return text }
        var scalars = String.UnicodeScalarView()
        for scalar in text._nfc { scalars.append(scalar) }
        return String(scalars)
    }

    /// Whether the text's bytes are already those of Normalization Form C.
    public static func isNFC(_ text: String) -> Bool {
        isPlain(text) || text.unicodeScalars.elementsEqual(text._nfc)
    }

    /// Whether every scalar is below U+0300: such text composes with nothing and is its own normal form.
    private static func isPlain(_ text: String) -> Bool { text.unicodeScalars.allSatisfy { $0.value < 0x300 } }

    /// White space of Unicode, by its list and not by the library's tables, so that every version agrees.
    static func isWhiteSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// Scalars that cannot be seen or that reorder what is seen: two keys that differ only in them look the same.
    ///
    /// The zero-width joiner and non-joiner are not among them: Urdu and Persian words need them.
    static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0xAD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B...0x180F: true
        case 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0x3164, 0xFDD0...0xFDEF, 0xFEFF, 0xFFA0: true
        case 0xFFF0...0xFFFB, 0x1D173...0x1D17A, 0xE0000...0xE0FFF: true
        default: scalar.value & 0xFFFE == 0xFFFE
        }
    }

    /// The text without white space at its ends, and with every run of white space inside as one space.
    static func collapsed(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var pending = false
        for scalar in text.unicodeScalars {
            if isWhiteSpace(scalar) {
                pending = !result.isEmpty
            } else {
                if pending { result.append(" ") }
                pending = false
                result.append(scalar)
            }
        }
        return String(result)
    }

    /// The text without white space at its ends.
    static func trimmed(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !isWhiteSpace($0) }),
            let last = scalars.lastIndex(where: { !isWhiteSpace($0) })
        else { return "" }
        return String(scalars[first...last])
    }
}
