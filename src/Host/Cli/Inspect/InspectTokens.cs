using System.CommandLine;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Cli.Inspect;

/// <summary><c>asr inspect tokens</c>: texts to token ids and back.</summary>
internal static class InspectTokens
{
    public static Command Create()
    {
        var model = new ModelOptions();
        var command = new Command("tokens", "Reads a JSON string a line, writes {\"ids\", \"decoded\"} a line: without prefix and end, decoded with special tokens kept.");
        model.AddTo(command);
        command.SetAction(parsed =>
        {
            using var input = Console.OpenStandardInput();
            using var output = new BufferedStream(Console.OpenStandardOutput(), 1 << 16);
            Run(model.ReadDirectory(parsed), input, output);
            return 0;
        });
        return command;
    }

    internal static void Run(string modelDirectory, Stream input, Stream output)
    {
        var tokenizer = WhisperTokenizer.Load(modelDirectory);
        foreach (var text in JsonLines.Read(input, "a JSON string", JsonLines.Text))
        {
            var ids = tokenizer.Encode(text);
            JsonLines.Write(output, writer =>
            {
                writer.WriteStartObject();
                writer.WriteStartArray("ids");
                foreach (var id in ids)
                {
                    writer.WriteNumberValue(id);
                }

                writer.WriteEndArray();
                writer.WriteString("decoded", tokenizer.Decode(ids, skipSpecialTokens: false));
                writer.WriteEndObject();
            });
        }
    }
}
