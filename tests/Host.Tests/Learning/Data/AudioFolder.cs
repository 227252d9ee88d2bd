using AsrPlatform.Host.Audio;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Learning.Data;

/// <summary>A temporary folder with audio to write manifests about.</summary>
internal sealed class AudioFolder : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public string Root => _folder.Root;

    /// <summary>Writes a tone of a length; its frequency makes the content differ.</summary>
    public AudioFolder Tone(string name, double seconds = 0.5, double hertz = 440, int sampleRateHz = 16000)
    {
        var path = _folder.File(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var samples = new float[(int)Math.Round(seconds * sampleRateHz)];
        for (var index = 0; index < samples.Length; index++)
        {
            samples[index] = (float)(0.5 * Math.Sin(2 * Math.PI * hertz * index / sampleRateHz));
        }

        WavWriter.Write(path, samples, sampleRateHz);
        return this;
    }

    public string File(string name) => _folder.File(name);

    public string Write(string name, string text) => _folder.Write(name, text);

    public string Write(string name, byte[] bytes)
    {
        System.IO.File.WriteAllBytes(_folder.File(name), bytes);
        return _folder.File(name);
    }

    public void Dispose() => _folder.Dispose();
}
