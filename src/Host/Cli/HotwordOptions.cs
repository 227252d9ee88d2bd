using System.CommandLine;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Memory;

namespace AsrPlatform.Host.Cli;

/// <summary>The options of verbs that take words and names to prefer.</summary>
/// <param name="required">Whether there must be some.</param>
internal sealed class HotwordOptions(bool required = false)
{
    private readonly Option<string[]> _words = new("--hotwords") { Description = "words and names that may be said, with commas", HelpName = "A,B", DefaultValueFactory = _ => [] };
    private readonly Option<string?> _file = new("--hotwords-file") { Description = "a file of such words, one a line; # begins a comment", HelpName = "FILE" };

    public void AddTo(Command command)
    {
        command.Options.Add(_words);
        command.Options.Add(_file);
    }

    /// <summary>The words; empty for none.</summary>
    /// <exception cref="AsrException">The file cannot be read, a word cannot be used, or there must be some and are not.</exception>
    public IReadOnlyList<string> Read(ParseResult parsed)
    {
        var words = Hotwords.Split(parsed.GetValue(_words)!).ToList();
        if (parsed.GetValue(_file) is { } file)
        {
            try
            {
                words.AddRange(File.ReadLines(file).Select(line => line.Split('#')[0].Trim()).Where(line => line.Length > 0));
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"--hotwords-file {file}: {error.Message}", error);
            }
        }

        var usable = Hotwords.Check(words) ?? [];
        return required && usable.Count == 0 ? throw new AsrException("no words: give some with --hotwords or --hotwords-file") : usable;
    }
}
