import AccelerandoFormats
import AccelerandoReport
import Testing

@Suite struct SampleTableTests {
  @Test func membersOfObjectsAreColumnsAndTextsAreQuotedWhereTheyNeedIt() {
    let table = SampleTable([
      [
        ("id", JSON(.string("a,\"b\"\n"))), ("answer", JSON([("cat", JSON(.double(0.5))), ("dog", JSON(.null))])),
        ("values", JSON(.array([JSON(.int(1)), JSON(.int(2))]))),
      ]
    ])
    #expect(table.csv == "id,answer_cat,answer_dog,values_0,values_1\n\"a,\"\"b\"\"\n\",0.5,,1,2\n")
    #expect(
      table.json
        == "[\n  {\"id\": \"a,\\\"b\\\"\\n\", \"answer\": {\"cat\": 0.5, \"dog\": null}, \"values\": [1, 2]}\n]\n")
    #expect(SampleTable().csv.isEmpty && SampleTable().json == "[]\n")
  }
}
