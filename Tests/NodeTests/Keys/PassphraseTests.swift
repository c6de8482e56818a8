import Foundation
import Testing

@testable import Node

#if canImport(Glibc)
import Glibc
#endif

@Suite struct PassphraseTests {
    @Test func sourcesByName() throws {
        #expect(try PassphraseSource(argument: "env:A") == .environment("A"))
        #expect(try PassphraseSource(argument: "fd:3") == .descriptor(3))
        #expect(try PassphraseSource(argument: "file:/a:b") == .file("/a:b"))
        #expect(try PassphraseSource(argument: "prompt") == .terminal)
        for text in ["", "env:", "env", "fd:", "fd:-1", "fd:x", "file:", "pass:secret", "prompt:", "secret"] {
            let error = #expect(throws: PassphraseError.self) { try PassphraseSource(argument: text) }
            #expect(error?.code == .unknownSource)
            #expect(error?.description.contains("secret") == false)
        }
    }

    @Test func environment() throws {
        setenv("ENTENTE_TEST_PASSPHRASE", "from the environment", 1)
        defer { unsetenv("ENTENTE_TEST_PASSPHRASE") }
        let source = PassphraseSource.environment("ENTENTE_TEST_PASSPHRASE")
        #expect(try source.read(prompt: "").matches(Passphrase("from the environment")))
        expect(.notSet, .environment("ENTENTE_TEST_NONE"))
    }

    @Test func descriptor() throws {
        let pipe = Pipe()
        pipe.fileHandleForWriting.write(Data("first line\r\nsecond".utf8))
        let source = PassphraseSource.descriptor(pipe.fileHandleForReading.fileDescriptor)
        #expect(try source.read(prompt: "").matches(Passphrase("first line")))
        // What follows the line is left in the pipe.
        try pipe.fileHandleForWriting.close()
        #expect(try source.read(prompt: "").matches(Passphrase("second")))
        expect(.empty, source)
        expect(.unreadable, .descriptor(9999))
    }

    @Test func file() async throws {
        try await withFolder { folder in
            let path = "\(folder)/passphrase"
            try PrivateFile.write(Array("in a file\n".utf8), to: path, mode: 0o600, overwrite: false)
            #expect(try PassphraseSource.file(path).read(prompt: "").matches(Passphrase("in a file")))
            chmod(path, 0o644)
            expect(.exposed, .file(path))
            chmod(path, 0o600)
            try PrivateFile.write(
                [UInt8](repeating: 0x61, count: 2000), to: path, mode: 0o600, overwrite: true)
            expect(.tooLong, .file(path))
            expect(.unreadable, .file("\(folder)/none"))
        }
    }

    @Test func terminalTakesNoEcho() async throws {
        let terminal = try PseudoTerminal()
        let (asked, ask) = AsyncStream<Result<Passphrase, PassphraseError>>.makeStream()
        let path = terminal.path
        Thread.detachNewThread {
            ask.yield(
                Result { () throws(PassphraseError) in
                    try Terminal.ask("Passphrase", confirm: true, path: path)
                })
            ask.finish()
        }
        terminal.readUntil("Passphrase: ")
        terminal.write("typed by hand\n")
        terminal.readUntil("again: ")
        terminal.write("typed by hand\n")
        for await result in asked {
            let expected = try Passphrase("typed by hand")
            #expect(try result.get().matches(expected))
        }
        terminal.readUntil("\n")
        #expect(!terminal.seen.contains("typed"))
    }

    @Test(arguments: [
        ("one two three\nother words\n", PassphraseError.Code.mismatch), ("\u{3}\n", .cancelled), ("\n", .empty),
    ])
    func terminalRefuses(typed: String, code: PassphraseError.Code) async throws {
        let terminal = try PseudoTerminal()
        let (asked, ask) = AsyncStream<PassphraseError.Code?>.makeStream()
        let path = terminal.path
        Thread.detachNewThread {
            do throws(PassphraseError) {
                _ = try Terminal.ask("Passphrase", confirm: true, path: path)
                ask.yield(nil)
            } catch {
                ask.yield(error.code)
            }
            ask.finish()
        }
        for line in typed.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            terminal.readUntil(": ")
            terminal.write(line + "\n")
        }
        for await result in asked { #expect(result == code) }
    }

    @Test func noTerminal() {
        let error = #expect(throws: PassphraseError.self) {
            try Terminal.ask("x", confirm: false, path: "/dev/null")
        }
        #expect(error?.code == .noTerminal)
    }

    private func expect(_ code: PassphraseError.Code, _ source: PassphraseSource) {
        let error = #expect(throws: PassphraseError.self) { try source.read(prompt: "") }
        #expect(error?.code == code)
    }
}

/// The other end of a terminal. Used by one thread.
private final class PseudoTerminal {
    let path: String
    private let descriptor: Int32
    private let other: Int32
    private(set) var seen = ""

    init() throws {
        var (ours, theirs): (Int32, Int32) = (-1, -1)
        try #require(openpty(&ours, &theirs, nil, nil, nil) == 0)
        self.descriptor = ours
        self.other = theirs
        self.path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(theirs)")
    }

    deinit {
        close(self.descriptor)
        close(self.other)
    }

    func write(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(self.descriptor, bytes, bytes.count)
    }

    func readUntil(_ text: String) {
        var byte: UInt8 = 0
        var part = ""
        while !part.hasSuffix(text), read(self.descriptor, &byte, 1) == 1 {
            if byte != 0x0D { part.unicodeScalars.append(UnicodeScalar(byte)) }
        }
        self.seen += part
    }
}
