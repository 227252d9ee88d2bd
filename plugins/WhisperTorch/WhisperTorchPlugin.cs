using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.WhisperTorch.Training;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.WhisperTorch;

/// <summary>Registers the backend <c>torch</c> and the trainer.</summary>
public sealed partial class WhisperTorchPlugin : IPlugin
{
    /// <summary>The plugin's id, as in its manifest.</summary>
    public const string Id = "whisper-torch";

    /// <inheritdoc />
    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(context);
        RequireTorch(() =>
        {
            using var probe = zeros(1);
            _ = probe.bytes;
        });
        var options = context.Configuration.Get<WhisperTorchOptions>() ?? new WhisperTorchOptions();
        var backend = new TorchBackend(options);
        services.AddSingleton<ISeq2SeqBackend>(backend);
        services.AddSingleton<ITrainer>(new TorchTrainer(backend));
        AddBindingDiagnostics(services);
    }

    /// <summary>Adds what a binding can say of itself, where it can.</summary>
    static partial void AddBindingDiagnostics(IServiceCollection services);

    /// <summary>Loads LibTorch, so that a missing library is known at the start and not in the middle of a caption.</summary>
    /// <param name="probe">Uses it.</param>
    /// <exception cref="PluginUnavailableException">It cannot be loaded.</exception>
    internal static void RequireTorch(Action probe)
    {
        try
        {
            probe();
        }
        catch (Exception error) when (Missing(error) is { } cause)
        {
            throw new PluginUnavailableException($"LibTorch cannot be used: {OneLine(cause.Message)}", Remedy, error);
        }
    }

    private static string Remedy =>
        OperatingSystem.IsLinux()
            ? "apt-get install libtorch-dev libopenblas0-openmp cmake g++ and build again, or set ASR_LIBTORCH_DIR to the folder of another LibTorch"
            : "install the TorchSharp package of this system (build with -p:TorchBinding=TorchSharp)";

    /// <summary>The error that says what is missing, in what a binding throws when it cannot load its native library; else null.</summary>
    private static Exception? Missing(Exception error)
    {
        for (var cause = error; cause is not null; cause = cause.InnerException)
        {
            if (cause is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException or FileNotFoundException or NotSupportedException)
            {
                return cause;
            }
        }

        return error is TypeInitializationException or ExternalException ? error : null;
    }

    private static string OneLine(string message) => string.Join(' ', message.Split((char[])['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
