/// A word of a command line that people copy from an answer.
public enum ShellWord {
    /// The word as a POSIX shell reads it back: bare where it has nothing but letters, digits and signs that mean nothing to a
    /// shell, else in single quotes.
    public static func quoted(_ text: String) -> String {
        let isBare = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            case 0x2B, 0x2C, 0x2D, 0x2E, 0x2F, 0x3A, 0x3D, 0x40, 0x5F, 0x25: true
            default: false
            }
        }
        guard !isBare || text.isEmpty else { return text }
        return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
