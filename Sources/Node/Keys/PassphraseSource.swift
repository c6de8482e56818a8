#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Where a passphrase comes from. Only the place is ever printed.
public enum PassphraseSource: Sendable, Hashable {
    /// The value of an environment variable.
    case environment(String)
    /// The first line from an open file descriptor, read to its end and then left open.
    case descriptor(Int32)
    /// The first line of a file that only its owner may read.
    case file(String)
    /// A prompt on the controlling terminal, without echo.
    case terminal

    /// Reads OpenSSL's notation: `env:NAME`, `fd:NUMBER`, `file:PATH`, or `prompt`.
    ///
    /// - Throws: ``PassphraseError`` with code `unknownSource`. A passphrase on the command line (`pass:…`) is refused,
    ///   since every process on the machine could read it there.
    public init(argument: String) throws(PassphraseError) {
        let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let value = parts.count == 2 ? parts[1] : ""
        switch parts[0] {
        case "env" where !value.isEmpty: self = .environment(value)
        case "file" where !value.isEmpty: self = .file(value)
        case "prompt" where parts.count == 1: self = .terminal
        case "fd":
            guard let number = Int32(value), number >= 0 else { fallthrough }
            self = .descriptor(number)
        default:
            throw PassphraseError(.unknownSource, "give the passphrase as env:NAME, fd:NUMBER, file:PATH or prompt")
        }
    }

    /// Obtains the passphrase. Blocks while reading, or while a person types.
    ///
    /// - Parameters:
    ///   - prompt: what the terminal shows, without the colon; not used by the other sources.
    ///   - confirm: whether a terminal asks twice, as for a new key.
    /// - Throws: ``PassphraseError``.
    public func read(prompt: String, confirm: Bool = false) throws(PassphraseError) -> Passphrase {
        switch self {
        case .environment(let name):
            guard let value = getenv(name) else {
                throw PassphraseError(.notSet, "the environment variable \(name) is not set")
            }
            return try Passphrase(UnsafeBufferPointer(start: value, count: strlen(value)).map(UInt8.init(bitPattern:)))
        case .descriptor(let number):
            return try Self.firstLine(of: number, place: "file descriptor \(number)")
        case .file(let path):
            return try Self.read(path: path)
        case .terminal:
            return try Terminal.ask(prompt, confirm: confirm)
        }
    }

    private static func read(path: String) throws(PassphraseError) -> Passphrase {
        let bytes: [UInt8]
        do {
            bytes = try PrivateFile.read(path, limit: Passphrase.maximumByteCount + 2)
        } catch {
            switch error.code {
            case .exposed: throw PassphraseError(.exposed, error.description)
            case .tooLarge: throw PassphraseError(.tooLong, error.description)
            default: throw PassphraseError(.unreadable, error.description)
            }
        }
        return try Passphrase(Self.firstLine(of: bytes))
    }

    private static func firstLine(of descriptor: Int32, place: String) throws(PassphraseError) -> Passphrase {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        // Byte by byte: what follows the line may belong to somebody else.
        while bytes.count <= Passphrase.maximumByteCount {
            let count = readBytes(descriptor, &byte, 1)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw PassphraseError(.unreadable, "cannot read \(place): \(PrivateFile.systemMessage(errno))")
            }
            if count == 0 || byte == 0x0A { break }
            bytes.append(byte)
        }
        return try Passphrase(Self.firstLine(of: bytes))
    }

    private static func firstLine(of bytes: [UInt8]) -> [UInt8] {
        var line = Array(bytes.prefix { $0 != 0x0A })
        if line.last == 0x0D { line.removeLast() }
        return line
    }
}

/// A prompt on a terminal with its echo off.
enum Terminal {
    /// The key that gives up (Control-C): signals are off while the echo is, so that the echo always comes back.
    private static let interrupt: UInt8 = 0x03
    private static let endOfInput: UInt8 = 0x04

    /// - Parameter path: the terminal's device; tests pass a pseudo-terminal.
    static func ask(_ prompt: String, confirm: Bool, path: String = "/dev/tty") throws(PassphraseError) -> Passphrase {
        let terminal = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else {
            throw PassphraseError(
                .noTerminal, "there is no terminal to ask on; give the passphrase as env:NAME, fd:NUMBER or file:PATH")
        }
        defer { close(terminal) }
        var original = termios()
        guard tcgetattr(terminal, &original) == 0 else {
            throw PassphraseError(.noTerminal, "\(path) is not a terminal")
        }
        var silent = original
        silent.c_lflag &= ~tcflag_t(ECHO | ECHONL | ISIG)
        silent.c_lflag |= tcflag_t(ICANON)
        guard tcsetattr(terminal, TCSAFLUSH, &silent) == 0 else {
            throw PassphraseError(.noTerminal, "cannot turn off the echo of \(path)")
        }
        defer { _ = tcsetattr(terminal, TCSAFLUSH, &original) }

        let first = try Self.line(terminal, prompt: "\(prompt): ")
        guard confirm else { return first }
        let second = try Self.line(terminal, prompt: "\(prompt), again: ")
        guard first.matches(second) else { throw PassphraseError(.mismatch, "the two entries differ") }
        return first
    }

    private static func line(_ terminal: Int32, prompt: String) throws(PassphraseError) -> Passphrase {
        PrivateFile.show(prompt, on: terminal)
        defer { PrivateFile.show("\n", on: terminal) }
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count <= Passphrase.maximumByteCount {
            let count = readBytes(terminal, &byte, 1)
            if count < 0 && errno == EINTR { continue }
            guard count == 1, byte != Self.endOfInput else {
                throw PassphraseError(.cancelled, "no passphrase was entered")
            }
            if byte == 0x0A || byte == 0x0D { break }
            bytes.append(byte)
        }
        guard !bytes.contains(Self.interrupt) else {
            throw PassphraseError(.cancelled, "no passphrase was entered")
        }
        return try Passphrase(bytes)
    }
}
