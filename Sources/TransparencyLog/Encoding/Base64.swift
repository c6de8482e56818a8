/// Strict base64 (RFC 4648): what decodes re-encodes to the same characters.
///
/// Section 4's alphabet with padding is C2SP's; section 5's without padding is JOSE's. White space, missing or
/// superfluous padding, the other alphabet's characters and non-zero trailing bits are all refused.
public enum Base64 {
    /// Encodes with the standard alphabet and padding.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        withBuffer(bytes) { encode(UnsafeRawBufferPointer($0), alphabet: standardAlphabet, padded: true) }
    }

    /// Encodes a buffer with the standard alphabet and padding.
    public static func encode(_ buffer: UnsafeRawBufferPointer) -> String {
        encode(buffer, alphabet: standardAlphabet, padded: true)
    }

    /// Encodes with the URL-safe alphabet, without padding.
    public static func encodeURL(_ bytes: some Sequence<UInt8>) -> String {
        withBuffer(bytes) { encode(UnsafeRawBufferPointer($0), alphabet: urlAlphabet, padded: false) }
    }

    /// Encodes a buffer with the URL-safe alphabet, without padding.
    public static func encodeURL(_ buffer: UnsafeRawBufferPointer) -> String {
        encode(buffer, alphabet: urlAlphabet, padded: false)
    }

    /// Appends the URL-safe encoding of a buffer, without padding, as ASCII bytes.
    public static func appendURL(_ buffer: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        let rest = buffer.count % 3
        let count = buffer.count / 3 * 4 + (rest == 0 ? 0 : rest + 1)
        let encoded = [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
            urlAlphabet.withUnsafeBufferPointer { fill(bytes, from: buffer, alphabet: $0, padded: false) }
            initialized = count
        }
        output += encoded
    }

    /// Decodes canonical, padded base64 from ASCII bytes; nil for anything else.
    public static func decode(_ bytes: some Sequence<UInt8>) -> [UInt8]? {
        withBuffer(bytes) { decodePadded($0) }
    }

    /// Decodes canonical, padded base64; nil for anything else.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        withBuffer(text.utf8) { decodePadded($0) }
    }

    /// Decodes canonical, unpadded base64url from ASCII bytes; nil for anything else.
    public static func decodeURL(_ bytes: some Sequence<UInt8>) -> [UInt8]? {
        withBuffer(bytes) { decode($0, values: urlValues) }
    }

    /// Decodes canonical, unpadded base64url; nil for anything else.
    public static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        withBuffer(text.utf8) { decode($0, values: urlValues) }
    }

    /// Decodes canonical, unpadded base64url from a buffer of ASCII bytes; nil for anything else.
    public static func decodeURL(_ buffer: UnsafeRawBufferPointer) -> [UInt8]? {
        decode(buffer.assumingMemoryBound(to: UInt8.self), values: urlValues)
    }

    private static func withBuffer<Result>(
        _ bytes: some Sequence<UInt8>,
        _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result {
        if let result = bytes.withContiguousStorageIfAvailable(body) { return result }
        return Array(bytes).withUnsafeBufferPointer(body)
    }

    // MARK: Tables

    private static let standardAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let standardValues = values(of: standardAlphabet)
    private static let urlValues = values(of: urlAlphabet)

    /// For each of 256 characters its six bits, or a number with the top bit set for a stranger.
    private static func values(of alphabet: [UInt8]) -> [UInt8] {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }

    // MARK: Encoding

    private static func encode(_ input: UnsafeRawBufferPointer, alphabet: [UInt8], padded: Bool) -> String {
        let rest = input.count % 3
        let tail = rest == 0 ? 0 : (padded ? 4 : rest + 1)
        let count = input.count / 3 * 4 + tail
        return String(unsafeUninitializedCapacity: count) { output in
            alphabet.withUnsafeBufferPointer { fill(output, from: input, alphabet: $0, padded: padded) }
            return count
        }
    }

    private static func fill(
        _ output: UnsafeMutableBufferPointer<UInt8>,
        from input: UnsafeRawBufferPointer,
        alphabet: UnsafeBufferPointer<UInt8>,
        padded: Bool
    ) {
        var to = 0
        var from = 0
        while from + 3 <= input.count {
            let bits = Int(input[from]) << 16 | Int(input[from + 1]) << 8 | Int(input[from + 2])
            output[to] = alphabet[bits >> 18]
            output[to + 1] = alphabet[(bits >> 12) & 63]
            output[to + 2] = alphabet[(bits >> 6) & 63]
            output[to + 3] = alphabet[bits & 63]
            from += 3
            to += 4
        }
        let rest = input.count - from
        guard rest > 0 else { return }
        let bits = Int(input[from]) << 16 | (rest == 2 ? Int(input[from + 1]) << 8 : 0)
        output[to] = alphabet[bits >> 18]
        output[to + 1] = alphabet[(bits >> 12) & 63]
        if rest == 2 { output[to + 2] = alphabet[(bits >> 6) & 63] }
        guard padded else { return }
        if rest == 1 { output[to + 2] = UInt8(ascii: "=") }
        output[to + 3] = UInt8(ascii: "=")
    }

    // MARK: Decoding

    private static func decodePadded(_ input: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard input.count % 4 == 0 else { return nil }
        var count = input.count
        if count > 0, input[count - 1] == UInt8(ascii: "=") {
            count -= input[count - 2] == UInt8(ascii: "=") ? 2 : 1
        }
        return decode(UnsafeBufferPointer(rebasing: input[..<count]), values: standardValues)
    }

    private static func decode(_ input: UnsafeBufferPointer<UInt8>, values: [UInt8]) -> [UInt8]? {
        let rest = input.count & 3
        guard rest != 1 else { return nil }
        let count = input.count / 4 * 3 + (rest == 0 ? 0 : rest - 1)
        var isValid = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
            isValid = values.withUnsafeBufferPointer { fill(output, from: input, values: $0) }
            initialized = isValid ? count : 0
        }
        return isValid ? bytes : nil
    }

    /// Decodes whole groups without branching, gathering strangers' top bits to be looked at once at the end.
    private static func fill(
        _ output: UnsafeMutableBufferPointer<UInt8>,
        from input: UnsafeBufferPointer<UInt8>,
        values: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        var strangers: UInt8 = 0
        var from = 0
        var to = 0
        let wholeEnd = input.count & ~3
        while from < wholeEnd {
            let first = values[Int(input[from])]
            let second = values[Int(input[from &+ 1])]
            let third = values[Int(input[from &+ 2])]
            let fourth = values[Int(input[from &+ 3])]
            strangers |= first | second | third | fourth
            output[to] = first << 2 | second >> 4
            output[to &+ 1] = second << 4 | third >> 2
            output[to &+ 2] = third << 6 | fourth
            from &+= 4
            to &+= 3
        }
        let rest = input.count - wholeEnd
        if rest == 2 {
            let (first, second) = (values[Int(input[from])], values[Int(input[from + 1])])
            output[to] = first << 2 | second >> 4
            return (strangers | first | second) < 0x80 && second & 0x0F == 0
        } else if rest == 3 {
            let (first, second) = (values[Int(input[from])], values[Int(input[from + 1])])
            let third = values[Int(input[from + 2])]
            output[to] = first << 2 | second >> 4
            output[to + 1] = second << 4 | third >> 2
            return (strangers | first | second | third) < 0x80 && third & 0x03 == 0
        }
        return strangers < 0x80
    }
}
