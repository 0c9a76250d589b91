// The generated Kotlin half says of every vector what the Python half says.

import java.io.File
import java.security.MessageDigest
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.int
import kotlinx.serialization.json.intOrNull
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import uniffi.walwarden.Trust
import uniffi.walwarden.WalwardenException
import uniffi.walwarden.verifyBytes

class Vectors(private val folder: File) {
    val cases = read("cases.json").decodeToString().let(Json::parseToJsonElement).jsonArray.map(JsonElement::jsonObject)

    fun read(name: String) = File(folder, name).readBytes()

    private fun words(list: JsonElement?) = (list as? JsonArray)?.map { it.jsonPrimitive.content } ?: emptyList()

    private fun texts(list: JsonElement?) = words(list).map { read(it).decodeToString() }

    private fun octets(name: JsonElement?) = name?.jsonPrimitive?.contentOrNull?.let(::read)

    fun trust(args: JsonObject) = Trust(
        publicKeys = texts(args["pubkeys"]),
        fingerprints = words(args["fingerprints"]),
        witnesses = words(args["witnesses"]),
        witnessPolicy = octets(args["witnessPolicy"]),
        policy = octets(args["policy"]),
        since = octets(args["keptCheckpoint"]),
        authorities = texts(args["authorities"]),
        level = args["level"]?.jsonPrimitive?.intOrNull?.toUByte(),
        asOf = args["asOf"]?.jsonPrimitive?.contentOrNull,
        now = "2030-01-01T00:00:00.000Z",
    )
}

data class Outcome(val exit: Int, val level: Int?, val codes: List<String>, val report: String?)

fun outcome(vectors: Vectors, case: JsonObject) =
    try {
        val report = verifyBytes(vectors.read(case["file"]!!.jsonPrimitive.content), vectors.trust(case["args"]!!.jsonObject))
        val failed = report.findings.filter { it.status == "failed" }.map { it.code }
        val digest = MessageDigest.getInstance("SHA-256").digest(report.json).toHexString()
        Outcome(report.exit.toInt(), report.level?.toInt(), failed.distinct().sorted(), digest)
    } catch (error: WalwardenException.Failed) {
        Outcome(error.exit.toInt(), null, emptyList(), null)
    }

fun told(line: JsonObject) = Outcome(
    line["exit"]!!.jsonPrimitive.int,
    line["level"]!!.jsonPrimitive.intOrNull,
    line["codes"]!!.jsonArray.map { it.jsonPrimitive.content },
    line["reportSha256"]!!.takeIf { it !is JsonNull }?.jsonPrimitive?.content,
)

fun main(arguments: Array<String>) {
    val vectors = Vectors(File(arguments[0]))
    val python = File(arguments[1]).readLines().map { Json.parseToJsonElement(it).jsonObject }.associateBy { it["name"] }
    for (case in vectors.cases) {
        val (found, expected) = outcome(vectors, case) to told(python.getValue(case["name"]))
        check(found == expected) { "${case["name"]}: $found instead of $expected" }
    }
    println("uniffi, Kotlin: ${vectors.cases.size} vectors")
}
