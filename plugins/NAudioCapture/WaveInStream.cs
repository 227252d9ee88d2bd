using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using NAudio.Wave;

namespace AsrPlatform.NAudioCapture;

/// <summary>What a recording of NAudio gives, as mono samples.</summary>
internal sealed class WaveInStream : ICaptureStream
{
    private readonly IWaveIn _input;
    private readonly WaveFormat _format;
    private readonly SampleQueue _queue;
    private float[] _samples = [];

    /// <summary>Starts to record.</summary>
    /// <param name="input">The recording; this one's from now on.</param>
    /// <param name="device">The device's name, for messages.</param>
    /// <exception cref="AsrException">The device gives audio in a form that is not known, or cannot be started.</exception>
    public WaveInStream(IWaveIn input, string device)
    {
        _input = input;
        _format = input.WaveFormat;
        _queue = new SampleQueue(_format.SampleRate, device);
        try
        {
            if (!MonoSamples.CanRead(_format.Encoding == WaveFormatEncoding.IeeeFloat, _format.BitsPerSample)
                || _format.Encoding is not (WaveFormatEncoding.Pcm or WaveFormatEncoding.IeeeFloat))
            {
                throw new AsrException($"the microphone '{device}' gives {_format.Encoding} of {_format.BitsPerSample} bits, which cannot be read: choose another format in its settings");
            }

            input.DataAvailable += OnData;
            input.RecordingStopped += OnStopped;
            input.StartRecording();
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }

    public int SampleRateHz => _format.SampleRate;

    public int Read(Span<float> destination) => _queue.Read(destination);

    public void Stop()
    {
        // The driver may go on for a moment; what it brings then is not asked for.
        _queue.Complete(null);
        _input.StopRecording();
    }

    public void Dispose()
    {
        _queue.Complete(null);
        _input.DataAvailable -= OnData;
        _input.RecordingStopped -= OnStopped;
        _input.Dispose();
    }

    private void OnData(object? sender, WaveInEventArgs data)
    {
        var frame = _format.BitsPerSample / 8 * _format.Channels;
        var bytes = data.Buffer.AsSpan(0, data.BytesRecorded / frame * frame);
        if (_samples.Length < bytes.Length / frame)
        {
            _samples = new float[bytes.Length / frame];
        }

        var count = MonoSamples.Read(bytes, _format.Encoding == WaveFormatEncoding.IeeeFloat, _format.BitsPerSample, _format.Channels, _samples);
        _queue.Write(_samples.AsSpan(0, count));
    }

    private void OnStopped(object? sender, StoppedEventArgs stopped) => _queue.Complete(stopped.Exception);
}
