import Alliance

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Standard output and error. What goes to people is shown without control characters, so that a name in a register
/// cannot move the cursor.
enum Console {
    static func print(_ text: String) { write(sanitised(text) + "\n", to: STDOUT_FILENO) }

    static func print(_ lines: [String]) { print(lines.joined(separator: "\n")) }

    /// JSON for programs.
    static func print(_ value: JSONValue) { write(value.encodedForReading(), to: STDOUT_FILENO) }

    /// One line on standard error.
    static func complain(_ text: String) {
        let line = sanitised(text).split(whereSeparator: \.isNewline).joined(separator: " ")
        write("entente: \(line)\n", to: STDERR_FILENO)
    }

    /// A hint on standard error that is not an error.
    static func note(_ text: String) { write(sanitised(text) + "\n", to: STDERR_FILENO) }

    /// Progress of long work: shown on a terminal only, and gone when ``clear()`` is called.
    static func progress(_ text: String) {
        guard isatty(STDERR_FILENO) == 1 else { return }
        write("\r\u{1B}[K\(sanitised(text))", to: STDERR_FILENO)
    }

    /// Shows what long work tells of itself; a terminal needs no more than some lines a second.
    static func steps() -> (String) -> Void {
        var last = ContinuousClock.now
        return { text in
            guard ContinuousClock.now - last > .milliseconds(100) else { return }
            last = ContinuousClock.now
            progress(text)
        }
    }

    static func clearProgress() {
        guard isatty(STDERR_FILENO) == 1 else { return }
        write("\r\u{1B}[K", to: STDERR_FILENO)
    }

    static func exit(_ status: Int32) -> Never {
        #if canImport(Glibc)
        Glibc.exit(status)
        #else
        Darwin.exit(status)
        #endif
    }

    static func bytes(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

    private static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { buffer -> Int in
                #if canImport(Glibc)
                Glibc.write(descriptor, buffer.baseAddress, buffer.count)
                #else
                Darwin.write(descriptor, buffer.baseAddress, buffer.count)
                #endif
            }
            if count < 0, errno == EINTR { continue }
            // Nobody reads any more: there is nobody to tell.
            guard count > 0 else { exit(1) }
            rest = rest.dropFirst(count)
        }
    }

    /// Without control characters (but line ends and tabs) and without marks that turn the direction of writing.
    private static func sanitised(_ text: String) -> String {
        func isShown(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x0A, 0x09: true
            case 0..<0x20, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069: false
            default: true
            }
        }
        if text.unicodeScalars.allSatisfy(isShown) { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(isShown(scalar) ? scalar : "\u{FFFD}") }
        return String(result)
    }
}

/// An error whose text is for people: what is wrong and what to do.
struct Failure: Error {
    let text: String

    init(_ text: String) { self.text = text }

    /// The line for any error.
    static func text(of error: any Error) -> String {
        switch error {
        case let failure as Failure: failure.text
        case let error as any CustomStringConvertible: error.description
        default: "\(error)"
        }
    }
}

/// Ends the process with a status; everything has been said.
struct Ending: Error {
    let status: Int32
}

extension StringProtocol {
    /// Without white space at its ends.
    func trimming() -> String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
