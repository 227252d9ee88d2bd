using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Audio;

/// <summary>A file of any format as a WAV stream of float32, decoded by an ffmpeg process that lives as long as the stream.</summary>
internal sealed class FfmpegStream : Stream
{
    private const int MaxErrorLength = 2000;

    /// <summary>
    /// The formats that hold their own media. What is left out names other files to open (playlists, manifests, scripts), or is none
    /// (devices, raw samples, pictures, subtitles): a file that somebody sent must not read others of this machine.
    /// </summary>
    private const string Formats =
        "aa,aac,ac3,acm,act,adx,aea,aiff,amr,amrnb,amrwb,ape,apc,asf,asf_o,ast,au,avi,bfstm,brstm,caf,codec2,dsf,dsicin,dss,dts,dtshd,dv,eac3,"
        + "epaf,flac,flv,g729,gsm,gxf,iff,ilbc,ircam,ivf,ivr,kux,live_flv,loas,lvf,m4v,matroska,mlp,mmf,mov,mp3,mpc,mpc8,mpeg,mpegts,mtaf,mxf,"
        + "nistsphere,nsv,nut,ogg,oma,paf,pva,pvf,qcp,rf64,rm,rso,s337m,sbc,sds,sol,sox,spdif,swf,tak,truehd,tta,vag,voc,vpk,vqf,w64,wav,wsaud,"
        + "wsvqa,wtv,wv,wve,xa,xwma";

    private readonly Process _process;
    private readonly Stream _output;
    private readonly string _name;
    private readonly StringBuilder _errors = new();
    private readonly Action<string> _warn;
    private long _bytes;
    private bool _ended;

    private FfmpegStream(Process process, string name, Action<string> warn)
    {
        _process = process;
        _output = process.StandardOutput.BaseStream;
        _name = name;
        _warn = warn;
        process.ErrorDataReceived += (_, line) =>
        {
            lock (_errors)
            {
                if (!string.IsNullOrWhiteSpace(line.Data) && _errors.Length < MaxErrorLength)
                {
                    _errors.Append(_errors.Length == 0 ? "" : "; ").Append(line.Data.Trim());
                }
            }
        };
        process.BeginErrorReadLine();
    }

    /// <inheritdoc />
    public override bool CanRead => true;

    /// <inheritdoc />
    public override bool CanSeek => false;

    /// <inheritdoc />
    public override bool CanWrite => false;

    /// <inheritdoc />
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc />
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Starts ffmpeg on a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">What to call it in messages.</param>
    /// <param name="warn">Told at the end what ffmpeg complained about, where it decoded something all the same.</param>
    /// <param name="program">The ffmpeg to run.</param>
    /// <exception cref="AsrException">ffmpeg is not installed.</exception>
    public static FfmpegStream Open(string path, string name, Action<string> warn, string program = "ffmpeg")
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            CreateNoWindow = true,
        };

        // Files only, nothing from a network. Only the first audio track; its own rate and channels.
        string[] arguments =
        [
            "-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file,pipe", "-format_whitelist", Formats, "-i", "file:" + Path.GetFullPath(path),
            "-map", "0:a:0", "-f", "wav", "-rf64", "never", "-bitexact", "-c:a", "pcm_f32le", "pipe:1",
        ];
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        try
        {
            var process = Process.Start(start) ?? throw new AsrException($"{name}: ffmpeg could not be started.");
            process.StandardInput.Close();
            return new FfmpegStream(process, name, warn);
        }
        catch (Win32Exception error)
        {
            var command = OperatingSystem.IsWindows() ? "winget install ffmpeg" : OperatingSystem.IsMacOS() ? "brew install ffmpeg" : "apt-get install ffmpeg";
            throw new AsrException($"{name} is no WAV file, and ffmpeg, which decodes everything else, is not installed: {command}", error);
        }
    }

    /// <inheritdoc />
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc />
    /// <exception cref="AsrException">ffmpeg can decode nothing of the file.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (_ended)
        {
            return 0;
        }

        var count = _output.Read(buffer);
        _bytes += count;
        if (count == 0 && buffer.Length > 0)
        {
            End();
        }

        return count;
    }

    /// <inheritdoc />
    public override void Flush()
    {
    }

    /// <inheritdoc />
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc />
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc />
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc />
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            try
            {
                if (!_process.HasExited)
                {
                    _process.Kill(entireProcessTree: true);
                    _process.WaitForExit();
                }
            }
            catch (Exception error) when (error is InvalidOperationException or Win32Exception)
            {
                // It ended by itself just now.
            }

            _output.Dispose();
            _process.Dispose();
        }

        base.Dispose(disposing);
    }

    private void End()
    {
        _ended = true;
        _process.WaitForExit();
        string errors;
        lock (_errors)
        {
            errors = _errors.ToString().ReplaceLineEndings(" ");
        }

        // A failure after the header alone is not worth a transcript.
        const int HeaderBytes = 128;
        if (_process.ExitCode != 0 && _bytes <= HeaderBytes)
        {
            throw new AsrException($"{_name} is no audio that ffmpeg can decode: {(errors.Length > 0 ? errors : $"it ended with code {_process.ExitCode}")}");
        }

        if (errors.Length > 0)
        {
            _warn($"{_name} was decoded as far as ffmpeg could: {errors}");
        }
    }
}
