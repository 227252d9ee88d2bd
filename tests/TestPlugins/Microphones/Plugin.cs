using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Plugins;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.TestPlugins.Microphones;

/// <summary>Three microphones: two hear what the file of the setting <c>Pcm</c> holds (PCM16, 16 kHz, mono), and then nothing until they are stopped, unless <c>Ends</c> is set; one is broken.</summary>
public sealed class Plugin : IPlugin
{
    public void ConfigureServices(PluginContext context, IServiceCollection services) =>
        services.AddSingleton<IAudioCapture>(new Capture(context.Configuration["Pcm"], context.Configuration["Ends"] is not null));

    private sealed class Capture(string? file, bool ends) : IAudioCapture
    {
        public string Name => "test";

        public IReadOnlyList<CaptureDevice> Devices { get; } =
        [
            new CaptureDevice("{0}", "Desk microphone", IsDefault: false),
            new CaptureDevice("{1}", "Headset", IsDefault: true),
            new CaptureDevice("{2}", "Broken microphone", IsDefault: false),
        ];

        public ICaptureStream Open(CaptureDevice device) => device.Id == "{2}"
            ? throw new AsrException("the microphone is in use")
            : new Stream(file is null ? [] : MemoryMarshal.Cast<byte, short>(File.ReadAllBytes(file)).ToArray(), ends);
    }

    private sealed class Stream(short[] samples, bool ends) : ICaptureStream
    {
        private readonly ManualResetEventSlim _stopped = new(ends);
        private int _position;

        public int SampleRateHz => 16_000;

        public int Read(Span<float> destination)
        {
            var count = Math.Min(destination.Length, samples.Length - _position);
            for (var i = 0; i < count; i++)
            {
                destination[i] = samples[_position++] / 32768f;
            }

            if (count == 0)
            {
                _stopped.Wait();
            }

            return count;
        }

        public void Stop() => _stopped.Set();

        public void Dispose() => _stopped.Dispose();
    }
}
