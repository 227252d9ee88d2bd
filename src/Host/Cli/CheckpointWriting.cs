using System.CommandLine;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Cli;

/// <summary>What <c>adapters merge</c> and <c>export hf</c> share: a checkpoint in, a plain checkpoint out; <c>models average</c> has its options.</summary>
internal sealed class CheckpointWriting
{
    public Option<string> OutputDirectory { get; } = CreateOutputDirectory();

    public Option<string> Precision { get; } = CreatePrecision();

    public ModelOptions Model { get; } = new();

    public void AddTo(Command command)
    {
        command.Options.Add(Model.Model);
        command.Options.Add(OutputDirectory);
        command.Options.Add(Precision);
        command.Options.Add(Model.DataDirectory);
        command.Options.Add(Model.Plugins.Directory);
    }

    /// <summary>Writes the checkpoint.</summary>
    /// <param name="parsed">The options.</param>
    /// <param name="adapterDirectory">An adapter to merge; null for none.</param>
    /// <param name="cancellationToken">Stops between two tensors.</param>
    /// <exception cref="AsrException">Something cannot be read, merged or written.</exception>
    public async Task<int> RunAsync(ParseResult parsed, string? adapterDirectory, CancellationToken cancellationToken)
    {
        var source = Model.ReadDirectory(parsed);
        var target = parsed.GetValue(OutputDirectory)!;
        var type = ReadPrecision(parsed, Precision);
        await AdapterMerging.RunAsync(Model, parsed, source, adapterDirectory, merger =>
            CheckpointExport.Write(source, target, new CheckpointExportOptions { ElementType = type, Merger = merger }, cancellationToken));
        Console.WriteLine(target);
        return 0;
    }
    public static Option<string> CreateOutputDirectory() => new("--output-dir") { Description = "the folder to write; new or empty", HelpName = "DIR", Required = true };

    public static Option<string> CreatePrecision()
    {
        var precision = new Option<string>("--precision") { Description = "fp32, fp16, bf16, or keep: as the checkpoint has it", HelpName = "TYPE", DefaultValueFactory = _ => "keep" };
        precision.AcceptOnlyFromAmong("fp32", "fp16", "bf16", "keep");
        return precision;
    }

    /// <summary>The type of the weights; null: as the checkpoint has it.</summary>
    public static TensorElementType? ReadPrecision(ParseResult parsed, Option<string> precision) => parsed.GetValue(precision) switch
    {
        "fp32" => TensorElementType.F32,
        "fp16" => TensorElementType.F16,
        "bf16" => TensorElementType.BF16,
        _ => null,
    };
}
