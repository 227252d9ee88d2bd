using System.CommandLine;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Cli.Inspect;

/// <summary><c>asr inspect normalize</c>: texts to their normal forms.</summary>
internal static class InspectNormalize
{
    public static Command Create()
    {
        var model = new ModelOptions();
        var normalizer = new Option<string>("--normalizer") { Description = "basic (any language) or english", HelpName = "NAME", Required = true };
        normalizer.AcceptOnlyFromAmong("basic", "english");
        var command = new Command("normalize", "Reads a JSON string a line, writes its normal form as a JSON string a line.");
        command.Options.Add(normalizer);
        model.AddTo(command);
        command.SetAction(parsed =>
        {
            using var input = Console.OpenStandardInput();
            using var output = new BufferedStream(Console.OpenStandardOutput(), 1 << 16);
            Run(parsed.GetValue(normalizer)!, parsed.GetValue(model.Model), input, output);
            return 0;
        });
        return command;
    }

    /// <summary>Normalises every line.</summary>
    /// <param name="name"><c>basic</c> or <c>english</c>.</param>
    /// <param name="modelDirectory">The checkpoint whose spellings to use; null for none.</param>
    /// <param name="input">JSON strings, one a line.</param>
    /// <param name="output">The same.</param>
    internal static void Run(string name, string? modelDirectory, Stream input, Stream output)
    {
        ITextNormalizer normalizer = name == "basic" ? new BasicTextNormalizer()
            : modelDirectory is null ? new EnglishTextNormalizer()
            : EnglishTextNormalizer.Load(modelDirectory);
        foreach (var text in JsonLines.Read(input, "a JSON string", JsonLines.Text))
        {
            JsonLines.Write(output, writer => writer.WriteStringValue(normalizer.Normalize(text)));
        }
    }
}
