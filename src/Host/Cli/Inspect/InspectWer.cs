using System.CommandLine;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Cli.Inspect;

/// <summary><c>asr inspect wer</c>: word and character error rates.</summary>
internal static class InspectWer
{
    public static Command Create()
    {
        var model = new ModelOptions();
        var perLine = new Option<bool>("--per-line") { Description = "write the rates of each pair, a line each, in place of those of all" };
        var command = new Command(
            "wer",
            "Reads {\"reference\", \"hypothesis\"} a line, writes {\"wer\", \"cer\", \"hits\", \"substitutions\", \"deletions\", \"insertions\"} of all pairs together.");
        command.Options.Add(perLine);
        model.AddTo(command);
        command.SetAction(parsed =>
        {
            using var input = Console.OpenStandardInput();
            using var output = new BufferedStream(Console.OpenStandardOutput(), 1 << 16);
            Run(parsed.GetValue(perLine), input, output);
            return 0;
        });
        return command;
    }

    internal static void Run(bool perLine, Stream input, Stream output)
    {
        var sum = ErrorCounts.None;
        var pairs = 0;
        foreach (var (reference, hypothesis) in JsonLines.Read(input, "an object with the strings \"reference\" and \"hypothesis\"", ReadPair))
        {
            var counts = WordErrorRate.Measure(reference, hypothesis);
            sum += counts;
            pairs++;
            if (perLine)
            {
                Write(output, counts);
            }
        }

        if (pairs == 0)
        {
            throw new AsrException("standard input has no pairs: give an object with the strings \"reference\" and \"hypothesis\" a line");
        }

        if (!perLine)
        {
            Write(output, sum);
        }
    }

    private static Tuple<string, string>? ReadPair(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object
        && value.TryGetProperty("reference", out var reference) && JsonLines.Text(reference) is { } expected
        && value.TryGetProperty("hypothesis", out var hypothesis) && JsonLines.Text(hypothesis) is { } actual
            ? Tuple.Create(expected, actual)
            : null;

    private static void Write(Stream output, ErrorCounts counts) => JsonLines.Write(output, writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("wer", counts.WordErrorRate);
        writer.WriteNumber("cer", counts.CharacterErrorRate);
        writer.WriteNumber("hits", counts.Hits);
        writer.WriteNumber("substitutions", counts.Substitutions);
        writer.WriteNumber("deletions", counts.Deletions);
        writer.WriteNumber("insertions", counts.Insertions);
        writer.WriteEndObject();
    });
}
