using System.CommandLine;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Host.Audio;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Features;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Cli.Inspect;

/// <summary><c>asr inspect features FILE</c>: what the encoder is given for a file's first 30 s, as a NumPy array.</summary>
internal static class InspectFeatures
{
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "an audio file, or - for standard input" };
        var model = new Option<string>("--model") { Description = "the checkpoint folder whose features are meant", HelpName = "DIR", Required = true };
        var output = new Option<string>("--output") { Description = "the .npy file to write", HelpName = "X.npy", Required = true };
        var command = new Command("features", "Writes the log-mel features of the first 30 s: float32 [mels, frames].");
        command.Arguments.Add(file);
        command.Options.Add(model);
        command.Options.Add(output);
        command.SetAction((parsed, cancellationToken) =>
        {
            var features = Extract(parsed.GetValue(file)!, parsed.GetValue(model)!, cancellationToken);
            NpyWriter.Write(parsed.GetValue(output)!, features.Values, features.FeatureSize, features.Frames);
            return Task.FromResult(0);
        });
        return command;
    }

    /// <summary>The features of a file's first window (30 s for Whisper), padded with silence or cut as Hugging Face does.</summary>
    /// <param name="path">An audio file.</param>
    /// <param name="modelDirectory">A checkpoint folder; its weights are not needed.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="Abstractions.AsrException">The file or the folder cannot be used.</exception>
    public static FeatureMatrix Extract(string path, string modelDirectory, CancellationToken cancellationToken)
    {
        WhisperCheckpoint.CheckFolder(modelDirectory);
        var preprocessor = PreprocessorConfig.Load(modelDirectory, WhisperConfig.Load(modelDirectory));
        using var audio = AudioFile.Open(path);
        using var reader = audio.OpenReader();
        var samples = new float[preprocessor.Samples];
        var length = 0;
        int count;
        while ((count = reader.Read(samples.AsSpan(length))) > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            length += count;
        }

        return LogMelExtractor.Of(preprocessor).Extract(samples.AsSpan(0, length), samples.Length);
    }
}
