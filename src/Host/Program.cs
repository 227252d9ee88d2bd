return await AsrPlatform.Host.Cli.CommandLine.RunAsync(args);
