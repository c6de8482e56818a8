import Testing
import TransparencyLog

@Suite struct CheckpointTests {
    @Test func roundTrip() throws {
        let checkpoint = try Checkpoint(parsing: utf8(Vector.text))
        #expect(checkpoint.origin == "log.example/test")
        #expect(checkpoint.size == 8)
        #expect(checkpoint.root.base64 == "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=")
        #expect(checkpoint.extensions.isEmpty)
        #expect(checkpoint.text == utf8(Vector.text))
        #expect(try Checkpoint(origin: "log.example/test", size: 8, root: checkpoint.root) == checkpoint)
        let extended = utf8(Vector.text + "more +\u{2028} things\nand more\n")
        #expect(try Checkpoint(parsing: extended).extensions.count == 2)
        #expect(try Checkpoint(parsing: extended).text == extended)
        #expect(try Checkpoint(origin: "a b+c", size: 0, root: .zero).text.starts(with: utf8("a b+c\n0\nAAAA")))
    }

    @Test func strictness() throws {
        let root = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="
        let bad = [
            "", "\n", "a", "a\n", "a\n8\n", "a\n8\n\(root)", "a\n8\n\(root)\n\n", "a\n8\n\(root)\nx", "\n8\n\(root)\n",
            "a\n+5\n\(root)\n", "a\n05\n\(root)\n", "a\n-5\n\(root)\n", "a\n 5\n\(root)\n", "a\n5 \n\(root)\n",
            "a\n0x5\n\(root)\n", "a\n\n\(root)\n", "a\n9223372036854775808\n\(root)\n",
            "a\n18446744073709551616\n\(root)\n", "a\n8\n\(root.dropLast())\n", "a\n8\n\(root) \n",
            "a\r\n8\r\n\(root)\r\n", "a\n8\n\(root.dropLast(2))h=\n", "a\n8\n\(root)\nx\n\ny\n", "a\u{0}\n8\n\(root)\n",
            "a\n8\n\(root.replacing("+", with: "-").replacing("/", with: "_"))\n",
        ]
        for text in bad {
            #expect(isRefused { _ = try Checkpoint(parsing: utf8(text)) }, "\(text)")
        }
        #expect(try Checkpoint(parsing: utf8("a\n9223372036854775807\n\(root)\n")).size == UInt64(Int64.max))
        #expect(isRefused { _ = try Checkpoint(parsing: [0xFF] + utf8("\n8\n\(root)\n")) })
        let lines = String(repeating: "x\n", count: 64)
        _ = try Checkpoint(parsing: utf8("a\n8\n\(root)\n\(lines)"))
        #expect(isRefused { _ = try Checkpoint(parsing: utf8("a\n8\n\(root)\n\(lines)x\n")) })
        let long = String(repeating: "a", count: Checkpoint.maximumByteCount)
        #expect(isRefused { _ = try Checkpoint(parsing: utf8("\(long)\n8\n\(root)\n")) })
        let parts: [(String, UInt64, [String])] = [("", 1, []), ("a\nb", 1, []), ("a", 1 << 63, []), ("a", 1, [""])]
        for (origin, size, extensions) in parts {
            #expect(
                isRefused {
                    _ = try Checkpoint(origin: origin, size: size, root: .zero, extensions: extensions)
                }
            )
        }
    }

    @Test func truncation() throws {
        let text = utf8(Vector.text)
        for count in 0..<text.count {
            #expect(isRefused { _ = try Checkpoint(parsing: Array(text[..<count])) })
        }
        for bit in 0..<text.count * 8 {
            let changed = text.flipping(bit: bit)
            // Whatever else it then is, it is not the same checkpoint, and is written as it was read.
            guard let other = try? Checkpoint(parsing: changed) else { continue }
            #expect(other.text == changed && other.text != text)
        }
    }

    @Test func originsAreComparedByBytes() throws {
        let composed = try Checkpoint(origin: "caf\u{e9}", size: 1, root: .zero, extensions: ["\u{e9}"])
        let decomposed = try Checkpoint(origin: "cafe\u{301}", size: 1, root: .zero, extensions: ["\u{e9}"])
        let other = try Checkpoint(origin: "caf\u{e9}", size: 1, root: .zero, extensions: ["e\u{301}"])
        #expect(composed != decomposed)
        #expect(composed != other)
    }
}
