/// One object of a descriptor and where it stands.
struct DescriptorObject {
    let object: JSONObject
    let place: String

    init(_ value: JSONValue?, at place: String) throws(RegisterError) {
        guard let object = value?.object else {
            throw RegisterError(.invalidMember, value == nil ? "is missing" : "must be an object", at: place)
        }
        self.object = object
        self.place = place
    }

    subscript(_ name: String) -> JSONValue? { object[name] }

    func path(_ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

    func wrong(_ name: String, _ reason: String) -> RegisterError {
        RegisterError(.invalidMember, reason, at: path(name))
    }

    func missing(_ name: String) -> RegisterError { wrong(name, "is missing") }

    func refuseOthers(than names: [String]) throws(RegisterError) {
        for name in object.names where !names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) {
            throw RegisterError(.invalidMember, "is not known", at: path(name))
        }
    }

    func text(_ name: String) throws(RegisterError) -> String {
        guard let text = try optionalText(name) else { throw missing(name) }
        return text
    }

    func optionalText(_ name: String) throws(RegisterError) -> String? {
        guard let value = object[name] else { return nil }
        guard let text = value.string, !text.isEmpty else { throw wrong(name, "must be a string that is not empty") }
        guard text.utf8.count <= RegisterLimits.textBytes else {
            throw RegisterError(.limit, "is longer than \(RegisterLimits.textBytes) bytes", at: path(name))
        }
        return text
    }

    /// `title`, and `titles` in further languages.
    func label() throws(RegisterError) -> RegisterLabel {
        let text = try text("title")
        guard let given = object["titles"] else { return RegisterLabel(text: text, translations: []) }
        let titles = try DescriptorObject(given, at: path("titles"))
        guard titles.object.members.count <= RegisterLimits.translations else {
            throw RegisterError(.limit, "has more than \(RegisterLimits.translations) languages", at: path("titles"))
        }
        var translations: [RegisterLabel.Translation] = []
        for member in titles.object.members {
            guard RegisterLabel.isLanguage(member.name) else {
                throw wrong("titles", "must have tags of languages as names, such as es or pt-BR")
            }
            translations.append(.init(language: member.name, text: try titles.text(member.name)))
        }
        return RegisterLabel(text: text, translations: translations)
    }

    func flag(_ name: String) throws(RegisterError) -> Bool {
        guard let value = object[name] else { return false }
        guard let flag = value.bool else { throw wrong(name, "must be true or false") }
        return flag
    }

    func count(_ name: String, in range: ClosedRange<Int>) throws(RegisterError) -> Int? {
        guard let value = object[name] else { return nil }
        guard let number = value.integer, range.contains(Int(number)) else {
            throw wrong(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return Int(number)
    }

    func number(_ name: String) throws(RegisterError) -> Double? {
        guard let value = object[name] else { return nil }
        guard let number = value.double else { throw wrong(name, "must be a number") }
        return number
    }

    func objects(_ name: String, atMost limit: Int) throws(RegisterError) -> [DescriptorObject] {
        guard let elements = object[name]?.array else { throw wrong(name, "must be a list") }
        guard elements.count <= limit else {
            throw RegisterError(.limit, "has more than \(limit) elements", at: path(name))
        }
        var objects: [DescriptorObject] = []
        for (index, element) in elements.enumerated() {
            objects.append(try DescriptorObject(element, at: "\(path(name))[\(index)]"))
        }
        return objects
    }
}

extension RegisterError {
    /// The line of a descriptor at which the error stands, from 1: that of the first byte at fault where it is no JSON,
    /// else of the member that ``place`` names or of the innermost one around it that there is.
    public func line(in descriptor: [UInt8]) -> Int {
        let tape: JSONTape
        do { tape = try JSONTape(descriptor) } catch { return Self.line(at: error.offset, of: descriptor) }
        var view = tape.root
        for step in place.split(whereSeparator: { $0 == "." || $0 == "[" }) {
            let next =
                step.hasSuffix("]")
                ? Int(step.dropLast()).flatMap { index in
                    view.elements.flatMap { $0.indices.contains(index) ? $0[index] : nil }
                } : view.member(String(step))
            guard let next else { break }
            view = next
        }
        return Self.line(at: view.rawBytes.startIndex, of: descriptor)
    }

    private static func line(at offset: Int, of bytes: [UInt8]) -> Int {
        1 + bytes.prefix(offset).count { $0 == 0x0A }
    }
}
